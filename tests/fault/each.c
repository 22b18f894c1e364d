/* SPDX-License-Identifier: MIT
 *
 * Each call made to fail, in each scene: a case each.
 */
#include "scenes.h"
#include "tries.h"

static void echo(void)
{
    try_all(scene_echo);
}

static void echo_on_two_loops(void)
{
    try_all(scene_echo_on_two_loops);
}

static void echo_over_a_unix_socket(void)
{
    try_all(scene_echo_over_a_unix_socket);
}

static void half_close_answered(void)
{
    try_all(scene_half_close_answered);
}

static void big_against_a_shut_window(void)
{
    try_all(scene_big_against_a_shut_window);
}

static void shared_with_many(void)
{
    try_all(scene_shared_with_many);
}

static void leftovers_and_pauses(void)
{
    try_all(scene_leftovers_and_pauses);
}

static void limits(void)
{
    try_all(scene_limits);
}

static void time_limits(void)
{
    try_all(scene_time_limits);
}

static void reset_by_the_peer(void)
{
    try_all(scene_reset_by_the_peer);
}

static void stopped_in_the_middle(void)
{
    try_all(scene_stopped_in_the_middle);
}

static void file(void)
{
    try_all(scene_file);
}

static void file_watched(void)
{
    try_all(scene_file_watched);
}

static void file_by_chunks(void)
{
    try_all(scene_file_by_chunks);
}

static void forward(void)
{
    try_all(scene_forward);
}

static void connect(void)
{
    try_all(scene_connect);
}

static void connect_by_name(void)
{
    try_all(scene_connect_by_name);
}

static void sends_of_threads(void)
{
    try_all(scene_sends_of_threads);
}

static void timers_and_posts(void)
{
    try_all(scene_timers_and_posts);
}

static void echo_straight(void)
{
    try_all(scene_echo_straight);
}

static void messages_straight(void)
{
    try_all(scene_messages_straight);
}

static void big_straight(void)
{
    try_all(scene_big_straight);
}

static void dial(void)
{
    try_all(scene_dial);
}

static void coroutines(void)
{
    try_all(scene_coroutines);
}

static void channel(void)
{
    try_all(scene_channel);
}

static void offload(void)
{
    try_all(scene_offload);
}

const struct test_case test_cases[] = {
    {"echo", echo},
    {"echo_on_two_loops", echo_on_two_loops},
    {"echo_over_a_unix_socket", echo_over_a_unix_socket},
    {"half_close_answered", half_close_answered},
    {"big_against_a_shut_window", big_against_a_shut_window},
    {"shared_with_many", shared_with_many},
    {"leftovers_and_pauses", leftovers_and_pauses},
    {"limits", limits},
    {"time_limits", time_limits},
    {"reset_by_the_peer", reset_by_the_peer},
    {"stopped_in_the_middle", stopped_in_the_middle},
    {"file", file},
    {"file_watched", file_watched},
    {"file_by_chunks", file_by_chunks},
    {"forward", forward},
    {"connect", connect},
    {"connect_by_name", connect_by_name},
    {"sends_of_threads", sends_of_threads},
    {"timers_and_posts", timers_and_posts},
    {"echo_straight", echo_straight},
    {"messages_straight", messages_straight},
    {"big_straight", big_straight},
    {"dial", dial},
    {"coroutines", coroutines},
    {"channel", channel},
    {"offload", offload},
    {NULL, NULL},
};
