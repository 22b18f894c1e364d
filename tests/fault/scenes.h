/* SPDX-License-Identifier: MIT
 *
 * The scenes: short programs that use the library in each of its ways, and come to their end whatever fails.
 */
#ifndef FERRY_TEST_SCENES_H
#define FERRY_TEST_SCENES_H

#include "stage.h"

/* callbacks.c */
void scene_echo(struct stage *stage);
void scene_echo_on_two_loops(struct stage *stage);
void scene_echo_over_a_unix_socket(struct stage *stage);
void scene_half_close_answered(struct stage *stage);
void scene_big_against_a_shut_window(struct stage *stage);
void scene_shared_with_many(struct stage *stage);
void scene_leftovers_and_pauses(struct stage *stage);
void scene_limits(struct stage *stage);
void scene_time_limits(struct stage *stage);
void scene_reset_by_the_peer(struct stage *stage);
void scene_stopped_in_the_middle(struct stage *stage);

/* moving.c */
void scene_file(struct stage *stage);
void scene_file_watched(struct stage *stage);
void scene_file_by_chunks(struct stage *stage);
void scene_forward(struct stage *stage);
void scene_connect(struct stage *stage);
void scene_connect_by_name(struct stage *stage);
void scene_sends_of_threads(struct stage *stage);
void scene_timers_and_posts(struct stage *stage);

/* straight.c */
void scene_echo_straight(struct stage *stage);
void scene_messages_straight(struct stage *stage);
void scene_big_straight(struct stage *stage);
void scene_dial(struct stage *stage);
void scene_coroutines(struct stage *stage);
void scene_channel(struct stage *stage);
void scene_offload(struct stage *stage);

#endif
