/* SPDX-License-Identifier: Apache-2.0 */
/* A membership record that is accepted has one form: written again, it gives the same
 * bytes; its device id is the hash of its key. */
#include "causal/member.h"
#include "support/fake_env.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct rj_bytes input = {data, len}, key;
    struct rj_buf again = {0};
    struct rj_test_env env;
    struct rj_record rec;
    struct rj_digest id;

    rj_test_env_init(&env, 1);
    if (rj_record_get(input, &env.env, &rec) != RJ_OK)
        return 0;
    key = RJ_BYTES_OF(rec.pubkey);
    rj_test_env_hash(&env.env, &key, 1, &id);
    if (rec.kind != RJ_RECORD_CLOSE && memcmp(id.b, rec.device.b, sizeof(id.b)) != 0)
        abort();
    if (rec.role > RJ_ROLE_ADMIN || rec.name.len > RJ_NAME_MAX ||
        !rj_bytes_is_utf8(rec.name))
        abort();
    rj_record_put(&again, &rec);
    if (!rj_bytes_equal(rj_buf_view(&again), input))
        abort();
    rj_buf_done(&again);
    return 0;
}
