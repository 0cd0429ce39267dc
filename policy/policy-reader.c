/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-reader.h"

#include <stdio.h>

#include "base/error.h"
#include "policy/policy-word.h"

/* Where a statement may stand. */
enum { OUTSIDE = 1, INSIDE = 2 };

typedef struct Statement {
        const char *word;
        int where;
        PolicySingle single;
        PolicyKind kind; /* that it defines */
        size_t min_words, max_words;
        const char *usage;
        void (*read)(PolicyReader *r);
} Statement;

#define ANY LIMIT_LINE_WORDS

/* clang-format off */
static const Statement statements[] = {
        {"hsmd-policy", OUTSIDE, SINGLE_VERSION, KIND_NONE, 2, 2, "hsmd-policy 1", policy_statement_version},
        {"serial", OUTSIDE, SINGLE_SERIAL, KIND_NONE, 2, 2, "serial N", policy_statement_serial},
        {"previous", OUTSIDE, SINGLE_PREVIOUS, KIND_NONE, 2, 2, "previous none|sha256:HEX", policy_statement_previous},
        {"effective", OUTSIDE, SINGLE_EFFECTIVE, KIND_NONE, 2, 2, "effective TIME", policy_statement_effective},
        {"expires", OUTSIDE, SINGLE_EXPIRES, KIND_NONE, 2, 2, "expires TIME", policy_statement_expires},
        {"allow", OUTSIDE, SINGLE_ALLOW, KIND_NONE, 2, 2, "allow single-org", policy_statement_allow},
        {"log", OUTSIDE, SINGLE_LOG, KIND_NONE, 6, 6, "log ORIGIN key ed25519:HEX uri URI", policy_statement_log},
        {"site", OUTSIDE, SINGLE_NONE, KIND_SITE, 4, 4, "site NAME country CC", policy_statement_site},
        {"org", OUTSIDE, SINGLE_NONE, KIND_ORG, 4, 4, "org NAME class internal|third-party", policy_statement_org},
        {"rebuilder", OUTSIDE, SINGLE_NONE, KIND_REBUILDER, 8, 8,
         "rebuilder NAME org ORG key FORM:HEX builder-id URI", policy_statement_rebuilder},
        {"key", OUTSIDE, SINGLE_NONE, KIND_KEY, 10, ANY,
         "key NAME algorithm ALGORITHM spki BASE64 uri URI formats FORMAT... [sites SITE...]", policy_statement_key},
        {"requester", OUTSIDE, SINGLE_NONE, KIND_REQUESTER, 4, 4, "requester NAME uid|gid N", policy_statement_requester},
        {"release", OUTSIDE | INSIDE, SINGLE_NONE, KIND_RELEASE, 2, 2, "release NAME", policy_release_begin},
        {"keys", INSIDE, SINGLE_KEYS, KIND_NONE, 2, ANY, "keys KEY...", policy_release_keys},
        {"requesters", INSIDE, SINGLE_REQUESTERS, KIND_NONE, 2, ANY, "requesters REQUESTER...", policy_release_requesters},
        {"source", INSIDE, SINGLE_NONE, KIND_NONE, 3, 3, "source git URI", policy_release_source},
        {"require", INSIDE, SINGLE_NONE, KIND_NONE, 4, ANY,
         "require orgs K of ORG..., or require class CLASS K", policy_release_require},
        {"on-dissent", INSIDE, SINGLE_DISSENT, KIND_NONE, 2, 2, "on-dissent deny|record", policy_release_dissent},
        {"end", INSIDE, SINGLE_NONE, KIND_NONE, 1, 1, "end", policy_release_end},
};
/* clang-format on */

PolicyPlace policy_reader_place(const PolicyReader *r, size_t i)
{
        const Word *last = &r->line.words[r->line.n_words - 1];

        assert(i <= r->line.n_words);

        if (i == r->line.n_words)
                return (PolicyPlace){r->line.number, last->column + (unsigned)last->size};
        return (PolicyPlace){r->line.number, r->line.words[i].column};
}

void policy_reader_fault(PolicyReader *r, size_t i, const char *format, ...)
{
        PolicyPlace place = policy_reader_place(r, i);
        char text[240];
        va_list args;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text), format, args); /* cut if it has to be */
        va_end(args);
        policy_fault_add(r->faults, place.line, place.column, "%s", text);
}

void *policy_reader_grow(PolicyReader *r, void **items, size_t *n, size_t size)
{
        size_t capacity = *n < 4 ? 4 : *n * 2;
        void *bigger;
        uint8_t *item;

        if (r->error)
                return NULL;

        /* The capacity is always the next power of two from 4 on, so it need not be kept. */
        if (*n == 0 || (*n >= 4 && (*n & (*n - 1)) == 0)) {
                r->error = memory_new(&bigger, capacity, size);
                if (r->error)
                        return NULL;
                if (*n > 0)
                        memcpy(bigger, *items, *n * size);
                free(*items);
                *items = bigger;
        }
        item = (uint8_t *)*items + *n * size;
        (*n)++;
        return item;
}

static const Statement *statement_find(const Word *word)
{
        for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
                if (word_is(word, statements[i].word))
                        return &statements[i];
        return NULL;
}

static bool statement_may_stand_here(PolicyReader *r, const Statement *s)
{
        PolicyPlace *single = s->single == SINGLE_NONE ? NULL : &r->singles[s->single];

        if (r->in_release && !(s->where & INSIDE)) {
                policy_reader_fault(r, 0, "'%s' stands outside releases; is an 'end' missing?", s->word);
                return false;
        }
        if (!r->in_release && !(s->where & OUTSIDE)) {
                policy_reader_fault(r, 0, "'%s' stands inside a release", s->word);
                return false;
        }
        if (single && single->line != 0) {
                policy_reader_fault(r, 0, "'%s' stands in line %u already", s->word, single->line);
                return false;
        }
        if (single)
                *single = policy_reader_place(r, 0);
        return true;
}

static void statement_read(PolicyReader *r, const Line *line)
{
        const Statement *s;

        r->line = *line;
        s = statement_find(&line->words[0]);
        if (!s) {
                policy_reader_fault(r, 0, "no statement begins with this word");
                return;
        }
        if (!statement_may_stand_here(r, s))
                return;
        if (line->n_words >= s->min_words && line->n_words <= s->max_words) {
                s->read(r);
                return;
        }

        policy_reader_fault(r, line->n_words < s->min_words ? line->n_words : s->max_words,
                            "too %s words: %s", line->n_words < s->min_words ? "few" : "many", s->usage);
        /* What it would have defined is known from here on, so that its uses are not faults as well. */
        if (s->kind == KIND_RELEASE)
                policy_release_begin(r);
        else if (s->kind != KIND_NONE)
                (void)policy_reader_define(r, s->kind);
}

/* The first statement says what the rest means.  False: it is of a version that is not known here. */
static bool version_read(PolicyReader *r, const Line *line)
{
        r->line = *line;
        if (!word_is(&line->words[0], "hsmd-policy")) {
                policy_reader_fault(r, 0, "the first statement has to be 'hsmd-policy 1'");
                statement_read(r, line);
                return true;
        }
        if (line->n_words == 2 && !word_is(&line->words[1], "1")) {
                policy_reader_fault(r, 1, "only version 1 of the policy is known here");
                return false;
        }
        statement_read(r, line);
        return true;
}

static int document_read(PolicyReader *r, LineReader *lines)
{
        bool first = true;

        while (!r->error) {
                const char *reason = NULL;
                Line line;
                int k;

                k = lines_next(lines, &line, &reason);
                if (k == LINES_E_END)
                        break;
                if (k < 0)
                        return error_fold(k);
                if (k == LINES_E_INVALID) {
                        policy_fault_add(r->faults, line.number, line.words[0].column, "%s", reason);
                        continue;
                }
                if (!first)
                        statement_read(r, &line);
                else if (!version_read(r, &line))
                        return 0;
                first = false;
        }
        if (first)
                policy_fault_add(r->faults, 0, 0, "there is no 'hsmd-policy'");
        policy_check(r);
        return error_fold(r->error);
}

static void reader_deinit(PolicyReader *r)
{
        free(r->release_places);
        free(r->claims);
        free(r->org_mentions);
        free(r->class_mentions);
}

int policy_read(Policy *policy, Blob document, PolicyFaults *faults)
{
        _cleanup_(reader_deinit) PolicyReader r = {.policy = policy, .faults = faults};
        _cleanup_(lines_freep) LineReader *lines = NULL;
        int k;

        assert(policy);
        assert(faults);

        if (document.size > LIMIT_POLICY_SIZE) {
                policy_fault_add(faults, 0, 0, "the document is larger than %d bytes", LIMIT_POLICY_SIZE);
                return 0;
        }
        policy->expires_usec = UINT64_MAX; /* until it is known */
        k = lines_new(&lines, document);
        if (k)
                return error_fold(k);

        k = document_read(&r, lines);
        if (k)
                return error_fold(k);

        policy_faults_sort(faults);
        return 0;
}
