/* SPDX-License-Identifier: MIT
 *
 * server: a service's defaults and checks.
 */
#include "server/service.h"

#include "base/clock.h"
#include "co/straight.h"
#include "sys/sock.h"

#include <errno.h>

enum { HIGH_WATER = 1 << 20, MAX_INPUT = 1 << 20, LINGER_MS = 5000 };

static unsigned told(const ferry_service *user)
{
    return (user->on_drain ? FY_DUE_DRAIN : 0U) | (user->on_high_water ? FY_DUE_HIGH : 0U) | FY_DUE_LOW;
}

bool fy_service_has_callbacks(const ferry_service *user)
{
    return user->on_open || user->on_data || user->on_eof || user->on_drain || user->on_high_water ||
           user->on_low_water;
}

void fy_service_straight(struct fy_service *service)
{
    service->driver.observer = &fy_coroutine;
    service->driver.extra = sizeof(struct fy_straight);
    service->driver.told = FY_DUE_LOW;
}

int fy_service_init(struct fy_service *service, const ferry_service *user, struct fy_budget *budget)
{
    if (!user)
        return -EINVAL;
    size_t high = user->high_water ? user->high_water : HIGH_WATER;
    size_t low = user->low_water ? user->low_water : high / 2;
    if ((user->serve && fy_service_has_callbacks(user)) || low > high || user->overflow > FERRY_OVERFLOW_DROP)
        return -EINVAL;
    service->user = *user;
    service->driver = (struct fy_driver){
        .observer = &fy_callbacks,
        .budget = budget->limit ? budget : NULL,
        .high_water = high,
        .low_water = low,
        .max_pending = user->max_pending,
        .max_input = user->max_input ? user->max_input : MAX_INPUT,
        .idle_ns = user->idle_timeout_ms * FY_MS,
        .linger_ns = (user->linger_ms ? user->linger_ms : LINGER_MS) * FY_MS,
        .min_rate = user->min_send_rate,
        .told = told(user),
        .drop_overflow = user->overflow == FERRY_OVERFLOW_DROP,
    };
    if (user->serve)
        fy_service_straight(service);
    return fy_sock_check(&user->socket);
}
