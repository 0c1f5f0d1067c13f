/* SPDX-License-Identifier: Apache-2.0 */
/* The disk of a host: a commit is carried out at once, later, or (when a crash comes
 * first) never, and the node hears of it later still. A commit that is not durable may be
 * lost by a crash, from the end. There can be no room (RJ_EFULL, until there is), and a
 * sync can fail (RJ_EIO), which ends the instance. */
#include "sim/ops.h"
#include "sim/world.h"
#include "store/memory.h"

#include <inttypes.h>
#include <stdlib.h>

void sim_disk_init(struct sim_world *w, struct sim_disk *d, struct rj_store *store)
{
    uint32_t slow_ms = d->slow_ms;

    (void)w;
    *d = (struct sim_disk){
        .store = store, .write_at = SIM_NEVER, .done_at = SIM_NEVER, .slow_ms = slow_ms};
}

void sim_disk_done(struct sim_disk *d)
{
    if (d->store != NULL)
        d->store->ops->close(d->store);
    d->store = NULL;
}

void sim_disk_commit(struct sim_world *w, struct sim_host *h, const struct rj_action *a)
{
    struct sim_disk *d = &h->disk;
    uint64_t delay = d->slow_ms > 0 ? sim_below(w, d->slow_ms) : 0;

    if (d->writes != NULL) {
        sim_fail(w, "%s: commit %" PRIu64 " while %" PRIu64 " is under way", h->name,
                 a->commit, d->commit);
        return;
    }
    if (a->commit <= d->done) {
        sim_fail(w, "%s: commit %" PRIu64 " again", h->name, a->commit);
        return;
    }
    d->writes = a->writes;
    d->commit = a->commit;
    d->durable = a->durable;
    d->write_at = w->now_ms + delay;
    d->done_at = SIM_NEVER;
    if (!w->tidy && sim_chance(w, 1, 2))
        sim_disk_write(w, h);
}

void sim_disk_write(struct sim_world *w, struct sim_host *h)
{
    struct sim_disk *d = &h->disk;

    if (d->fail_next && d->durable) {
        rj_store_memory_fail_sync(d->store, 0);
        d->fail_next = false;
        w->stats.faults++;
    }
    d->result = d->store->ops->write(d->store, d->writes, d->durable);
    sim_mix(w, (uint64_t)d->result);
    d->write_at = SIM_NEVER;
    d->done_at = w->now_ms + (d->slow_ms > 0 ? sim_below(w, d->slow_ms) : 0);
    sim_log(w, "%s commit %" PRIu64 " %s %s", h->name, d->commit,
            d->durable ? "durable" : "weak", rj_err_name(d->result));
    if (d->result == RJ_EIO)
        d->failing = d->eio = true;
    if (d->result != RJ_OK && !sim_disk_excuses(h, d->result)) {
        sim_fail(w, "%s: the store fails: %s", h->name, rj_err_name(d->result));
        return;
    }
    if (d->result == RJ_OK && d->durable) {
        d->safe = d->commit;
        sim_ops_safe(w, h);
    }
}

void sim_disk_report(struct sim_world *w, struct sim_host *h)
{
    struct sim_disk *d = &h->disk;

    d->writes = NULL;
    d->done_at = SIM_NEVER;
    if (d->result == RJ_OK)
        d->done = d->commit;
    sim_host_event(w, h,
                   (struct rj_event){.kind = RJ_EV_COMMITTED,
                                     .commit = d->commit,
                                     .result = d->result});
    if (h->node != NULL && !w->failed)
        sim_ops_acknowledged(w, h);
}

/* Before the memory of the node is gone its writes may still reach the disk. */
void sim_disk_crash(struct sim_world *w, struct sim_host *h)
{
    struct sim_disk *d = &h->disk;
    enum rj_store_memory_lose lose = (enum rj_store_memory_lose)sim_below(w, 3);

    d->writes = NULL;
    d->write_at = d->done_at = SIM_NEVER;
    d->failing = false;
    rj_store_memory_crash(d->store, lose, rj_prng_u64(&w->rng));
    if (d->full)
        sim_disk_full(w, h, true);
}

struct rj_store *sim_disk_copy(struct sim_world *w, struct sim_host *h, bool crashed)
{
    struct rj_store *copy = NULL;
    enum rj_err err;

    if (crashed && (w->tidy || sim_chance(w, 1, 2)))
        err = rj_store_memory_clone(h->disk.store, &copy);
    else
        err = rj_store_memory_copy(h->disk.store, &copy);
    if (err != RJ_OK)
        abort();
    return copy;
}

void sim_disk_full(struct sim_world *w, struct sim_host *h, bool full)
{
    h->disk.full = full;
    h->disk.room_since = w->now_ms;
    rj_store_memory_set_room(h->disk.store, full ? sim_below(w, 200) : UINT64_MAX);
    if (full)
        w->stats.faults++;
}

bool sim_disk_excuses(const struct sim_host *h, enum rj_err err)
{
    return (err == RJ_EIO && h->disk.failing) || (err == RJ_EFULL && h->disk.full);
}
