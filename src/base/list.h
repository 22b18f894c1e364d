/* SPDX-License-Identifier: MIT
 *
 * base: an intrusive, circular, doubly linked list. The head is a node like any other; a node that is in no list points
 * at itself, so removing it twice is harmless.
 */
#ifndef FY_BASE_LIST_H
#define FY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The object of type `type` whose `member` is at `pointer`. */
#define FY_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct fy_list {
    struct fy_list *next, *prev;
};

static inline void fy_list_init(struct fy_list *node)
{
    node->next = node->prev = node;
}

static inline bool fy_list_empty(const struct fy_list *head)
{
    return head->next == head;
}

static inline void fy_list_append(struct fy_list *head, struct fy_list *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

static inline void fy_list_prepend(struct fy_list *head, struct fy_list *node)
{
    fy_list_append(head->next, node);
}

static inline void fy_list_remove(struct fy_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    fy_list_init(node);
}

/* Takes the first node out, or returns NULL. */
static inline struct fy_list *fy_list_take(struct fy_list *head)
{
    if (fy_list_empty(head))
        return NULL;
    struct fy_list *node = head->next;
    fy_list_remove(node);
    return node;
}

/* Moves all of `from` to the end of `to`. */
static inline void fy_list_splice(struct fy_list *to, struct fy_list *from)
{
    if (fy_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    fy_list_init(from);
}

#endif
