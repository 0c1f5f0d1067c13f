/* SPDX-License-Identifier: Apache-2.0 */
/* A list at two replicas, changed apart, come together: it prints ["jam","tea"].
 *     cc two-replicas.c $(pkg-config --cflags --libs rejoin-crdt) && ./a.out */
#include <rejoin/crdt.h>
#include <stdio.h>

int main(void)
{
    struct rj_bytes tea = {(const uint8_t *)"tea", 3}, jam = {(const uint8_t *)"jam", 3};
    struct rj_crdt_opts opts = {.size = sizeof(opts), .type = RJ_CRDT_ORSET};
    struct rj_crdt *a = NULL, *b = NULL;
    struct rj_crdt_buf sent = {0};
    int bad;

    opts.replica = (struct rj_bytes){(const uint8_t *)"Ada", 3};
    bad = rj_crdt_new(&opts, &a);
    opts.replica = (struct rj_bytes){(const uint8_t *)"Bob", 3};
    bad = bad || rj_crdt_new(&opts, &b) || rj_crdt_add(a, tea, &sent) ||
          rj_crdt_join_bytes(b, rj_crdt_bytes(&sent), NULL) ||         /* both have tea */
          rj_crdt_add(a, tea, NULL) || rj_crdt_remove(b, tea, NULL) || /* Ada's is new */
          rj_crdt_add(b, jam, NULL) || rj_crdt_encode(b, &sent) ||
          rj_crdt_join_bytes(a, rj_crdt_bytes(&sent), NULL) || rj_crdt_json(a, &sent) ||
          printf("%.*s\n", (int)sent.len, (const char *)sent.ptr) < 0;
    rj_crdt_free(a);
    rj_crdt_free(b);
    rj_crdt_buf_free(&sent);
    return bad != 0;
}
