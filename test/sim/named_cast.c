/* SPDX-License-Identifier: Apache-2.0 */
/* Named scenarios: messages that nobody keeps. */
#include "sim/named.h"

static void say(struct sim_world *w, struct sim_host *h, const char *text)
{
    struct rj_bytes topic = {.ptr = (const uint8_t *)"t", .len = 1};
    struct rj_bytes bytes = {.ptr = (const uint8_t *)text, .len = strlen(text)};

    SIM_EXPECT(w, rj_space_cast(sim_space(h, 0), topic, bytes) == RJ_OK);
    sim_host_flush(w, h);
}

/* Where all are connected each hears it once, straight from its author. */
static void everybody_hears_it_once(struct sim_world *w)
{
    sim_cluster(w, 4);
    sim_run(w, 3000);
    for (size_t i = 0; i < 3; i++)
        say(w, &w->hosts[0], "hello");
    sim_run(w, 2000);
    SIM_EXPECT(w, w->hosts[0].casts == 0);
    for (size_t i = 1; i < 4; i++)
        SIM_EXPECT(w, w->hosts[i].casts == 3);
    sim_heal_and_check(w);
}

/* A - B - C - D: it goes from one to the next, and to the end; then the line is a ring.
 */
static void it_goes_through_those_in_between(struct sim_world *w)
{
    sim_cluster(w, 4);
    sim_run(w, 3000);
    sim_link_set(w, &w->hosts[0], &w->hosts[2], false);
    sim_link_set(w, &w->hosts[0], &w->hosts[3], false);
    sim_link_set(w, &w->hosts[1], &w->hosts[3], false);
    sim_run(w, 3000);
    for (size_t i = 0; i < 100; i++) /* more than the window */
        say(w, &w->hosts[0], "hello");
    sim_run(w, 3000);
    for (size_t i = 1; i < 4; i++)
        SIM_EXPECT(w, w->hosts[i].casts == 100);
    sim_link_set(w, &w->hosts[0], &w->hosts[3], true);
    sim_run(w, 5000);
    say(w, &w->hosts[1], "from both sides");
    sim_run(w, 3000);
    SIM_EXPECT(w, w->hosts[1].casts == 100);
    SIM_EXPECT(w, w->hosts[0].casts == 1);
    SIM_EXPECT(w, w->hosts[2].casts == 101);
    SIM_EXPECT(w, w->hosts[3].casts == 101);
    sim_heal_and_check(w);
}

/* A new incarnation counts from 1 again; what was said to nobody is gone. */
static void nothing_is_kept(struct sim_world *w)
{
    struct sim_host *a, *b;

    sim_cluster(w, 2);
    sim_run(w, 3000);
    a = &w->hosts[0];
    b = &w->hosts[1];
    say(w, a, "one");
    sim_run(w, 1000);
    sim_isolate(w, b);
    sim_run(w, 1000);
    say(w, a, "to nobody");
    sim_host_crash(w, a);
    sim_host_open(w, a);
    sim_rejoin(w, b);
    sim_run(w, 20000);
    say(w, a, "two");
    sim_run(w, 2000);
    SIM_EXPECT(w, b->casts == 2);
    sim_heal_and_check(w);
}

const struct sim_named sim_named_cast[] = {
    {"a message is heard once by everybody", everybody_hears_it_once},
    {"a message goes through those in between", it_goes_through_those_in_between},
    {"a message is not kept", nothing_is_kept},
    {NULL, NULL}};
