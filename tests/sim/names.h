/* SPDX-License-Identifier: MIT
 *
 * Included by the compiler before each file of the library: what it asks of threads and of the clock, beyond system calls, it
 * asks of pthread.c; and thread.c wants to know when it is between two stacks.
 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#define clock_gettime sim_clock_gettime
#define sched_yield sim_sched_yield
#define pthread_once sim_pthread_once
#define pthread_join sim_pthread_join
#define pthread_mutex_init sim_pthread_mutex_init
#define pthread_mutex_destroy sim_pthread_mutex_destroy
#define pthread_mutex_lock sim_pthread_mutex_lock
#define pthread_mutex_unlock sim_pthread_mutex_unlock
#define pthread_cond_init sim_pthread_cond_init
#define pthread_cond_destroy sim_pthread_cond_destroy
#define pthread_cond_wait sim_pthread_cond_wait
#define pthread_cond_timedwait sim_pthread_cond_timedwait
#define pthread_cond_signal sim_pthread_cond_signal
#define pthread_cond_broadcast sim_pthread_cond_broadcast
#define __sanitizer_start_switch_fiber sim_start_switch_fiber
#define __sanitizer_finish_switch_fiber sim_finish_switch_fiber

#endif
