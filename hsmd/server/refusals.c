/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "base/lines.h"
#include "policy/decision.h"
#include "server/refusals.h"

static void refusal_set_name(char *ret, size_t size, const char *name)
{
        Word word = {.text = name, .size = name ? strlen(name) : 0};

        if (name && word.size < size && word_is_name(&word))
                memcpy(ret, name, word.size + 1);
}

static Refusal *refusals_find(Refusals *r, uint32_t uid, Reason reason, const char *key)
{
        for (size_t i = 0; i < r->n; i++)
                if (r->items[i].uid == uid && r->items[i].reason == reason &&
                    strcmp(r->items[i].key, key) == 0)
                        return &r->items[i];
        if (r->n == REFUSALS_KINDS)
                return &r->items[REFUSALS_KINDS - 1];
        return NULL;
}

void refusals_add(Refusals *r, uint64_t now_usec, uint32_t uid, Reason reason, const char *key,
                  const char *release, const char *name, const uint8_t *sha256)
{
        char key_name[LIMIT_NAME_SIZE + 1] = "";
        Refusal *refusal;

        refusal_set_name(key_name, sizeof(key_name), key);
        refusal = refusals_find(r, uid, reason, key_name);
        if (refusal) {
                refusal->count++;
                refusal->last_usec = now_usec;
                return;
        }
        refusal = &r->items[r->n++];
        *refusal = (Refusal){
                .uid = uid, .reason = reason, .count = 1, .first_usec = now_usec, .last_usec = now_usec};
        memcpy(refusal->key, key_name, sizeof(key_name));
        refusal_set_name(refusal->release, sizeof(refusal->release), release);
        if (name && decision_artifact_name_valid(name, strlen(name)))
                memcpy(refusal->artifact_name, name, strlen(name) + 1);
        if (sha256) {
                refusal->has_sha256 = true;
                memcpy(refusal->artifact_sha256, sha256, 32);
        }
}

int refusal_write(const Refusal *refusal, const Policy *policy, const char *site, uint64_t now_usec,
                  Buffer *out)
{
        EntryRefusal entry = {
                .time_usec = now_usec,
                .first_usec = refusal->first_usec,
                .count = refusal->count,
                .site = site,
                .uid = refusal->uid,
                .reason = reason_to_string(refusal->reason),
                .key = refusal->key[0] != '\0' ? refusal->key : NULL,
                .release = refusal->release[0] != '\0' ? refusal->release : NULL,
                .artifact_name = refusal->artifact_name[0] != '\0' ? refusal->artifact_name : NULL,
                .artifact_sha256 = refusal->has_sha256 ? refusal->artifact_sha256 : NULL,
                .policy_serial = policy->serial,
                .policy_sha256 = policy->sha256,
        };

        return error_fold(entry_write_refusal(&entry, out));
}
