/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/hex.h"
#include "base/sjson.h"
#include "policy/decision.h"
#include "policy/statement.h"

/* One digest of a set.  False if it is there and not exactly as many lower-case hex digits. */
static bool decode_digest(const SJson *set, const char *algorithm, uint8_t *ret, size_t size, bool *ret_have)
{
        const char *text;
        size_t text_size;
        int r;

        r = sjson_get_string(set, algorithm, &text, &text_size);
        *ret_have = r == 0;
        if (r == SJSON_E_MISSING)
                return true;
        return r == 0 && hex_decode(ret, size, text, text_size) == 0;
}

/* sha256 has to be there; sha384 and sha512 are kept if they are; nothing else is ever looked at. */
static bool decode_digests(const SJson *subject, Digests *ret)
{
        SJson *set;
        bool have_sha256;

        if (sjson_get_object(subject, "digest", &set) || sjson_size(set) > LIMIT_DIGESTS)
                return false;
        return decode_digest(set, "sha256", ret->sha256, SHA256_SIZE, &have_sha256) && have_sha256 &&
               decode_digest(set, "sha384", ret->sha384, SHA384_SIZE, &ret->have_sha384) &&
               decode_digest(set, "sha512", ret->sha512, SHA512_SIZE, &ret->have_sha512);
}

static int decode_subject(AttestationSubject *ret, const SJson *subject, size_t i, const Refusal *refusal)
{
        const char *name;
        size_t size;
        int r;

        if (!sjson_is_object(subject) || sjson_get_string(subject, "name", &name, &size) ||
            !decision_artifact_name_valid(name, size))
                return refusal_make(refusal, REASON_SUBJECT_NAME,
                                    "subject %zu has no name, or one that no artifact can have", i + 1);
        if (!decode_digests(subject, &ret->digests))
                return refusal_make(refusal, REASON_SUBJECT_DIGEST,
                                    "the digests of subject '%s' lack sha256, are more than %d, or are not "
                                    "lower-case hex of their size",
                                    refusal_quote(name, size).text, LIMIT_DIGESTS);
        r = string_copy_n(&ret->name, name, size);
        return error_fold(r);
}

static bool digests_equal(const Digests *a, const Digests *b)
{
        return memcmp(a->sha256, b->sha256, SHA256_SIZE) == 0 && a->have_sha384 == b->have_sha384 &&
               a->have_sha512 == b->have_sha512 &&
               (!a->have_sha384 || memcmp(a->sha384, b->sha384, SHA384_SIZE) == 0) &&
               (!a->have_sha512 || memcmp(a->sha512, b->sha512, SHA512_SIZE) == 0);
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(((const AttestationSubject *)a)->name, ((const AttestationSubject *)b)->name);
}

static int compare_digests(const void *a, const void *b)
{
        const AttestationSubject *x = a, *y = b;
        int order = memcmp(x->digests.sha256, y->digests.sha256, SHA256_SIZE);

        return order ? order : strcmp(x->name, y->name);
}

/* One name, one artifact: repetitions are dropped, contradictions spoil the statement.  Subjects are in
 * order of name. */
static int drop_repeated(Statement *s, const Refusal *refusal)
{
        size_t n = 1;

        for (size_t i = 1; i < s->n_subjects; i++) {
                AttestationSubject *last = &s->subjects[n - 1], *subject = &s->subjects[i];

                if (strcmp(last->name, subject->name) != 0) {
                        AttestationSubject moved = *subject;

                        *subject = (AttestationSubject){0};
                        s->subjects[n++] = moved;
                        continue;
                }
                if (!digests_equal(&last->digests, &subject->digests))
                        return refusal_make(refusal, REASON_SUBJECT_CONFLICT,
                                            "two subjects have the name '%s' and different digests",
                                            refusal_quote(last->name, strlen(last->name)).text);
                free(TAKE_PTR(subject->name));
        }
        s->n_subjects = n;
        return 0;
}

int statement_decode_subjects(Statement *s, const SJson *subjects, const Refusal *refusal)
{
        size_t n;
        int r;

        assert(s && s->n_subjects == 0);
        assert(subjects);

        n = sjson_size(subjects);
        if (n == 0 || n > LIMIT_SUBJECTS)
                return refusal_make(refusal, REASON_SUBJECT_COUNT,
                                    "the statement has %zu subjects, not 1 to %d", n, LIMIT_SUBJECTS);
        r = memory_new0(&s->subjects, n);
        if (r)
                return error_fold(r);
        s->n_subjects = n;

        for (size_t i = 0; i < n; i++) {
                r = decode_subject(&s->subjects[i], sjson_at(subjects, i), i, refusal);
                if (r)
                        return r > 0 ? STATEMENT_E_REFUSED : error_fold(r);
        }

        qsort(s->subjects, n, sizeof(*s->subjects), compare_names);
        r = drop_repeated(s, refusal);
        if (r)
                return r > 0 ? STATEMENT_E_REFUSED : error_fold(r);
        qsort(s->subjects, s->n_subjects, sizeof(*s->subjects), compare_digests);
        return 0;
}
