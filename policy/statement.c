/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/statement.h"

#include "base/error.h"
#include "base/hex.h"
#include "base/sjson.h"
#include "base/timestamp.h"

/* What is to be read, and where a refusal goes. */
typedef struct Reading {
        Statement *statement;
        const SJson *document;
        SJson *definition; /* predicate.buildDefinition */
        SJson *run;        /* predicate.runDetails */
        uint64_t now_usec;
        const Refusal *refusal;
} Reading;

static bool member_is(const SJson *object, const char *name, const char *text)
{
        const char *value;
        size_t size;

        return sjson_get_string(object, name, &value, &size) == 0 &&
               blob_equal_string(BLOB(value, size), text);
}

static int read_types(Reading *x)
{
        SJson *predicate;

        if (!member_is(x->document, "_type", STATEMENT_TYPE))
                return refusal_make(x->refusal, REASON_STATEMENT_TYPE, "the payload's _type is not '%s'",
                                    STATEMENT_TYPE);
        if (!member_is(x->document, "predicateType", STATEMENT_PREDICATE_TYPE))
                return refusal_make(x->refusal, REASON_PREDICATE_TYPE, "the predicate type is not '%s'",
                                    STATEMENT_PREDICATE_TYPE);
        if (sjson_get_object(x->document, "predicate", &predicate) ||
            sjson_get_object(predicate, "buildDefinition", &x->definition) ||
            sjson_get_object(predicate, "runDetails", &x->run))
                return refusal_make(x->refusal, REASON_STATEMENT_SYNTAX,
                                    "the predicate has no buildDefinition or no runDetails");
        return 0;
}

static int read_subjects(Reading *x)
{
        SJson *subjects;

        if (sjson_get_array(x->document, "subject", &subjects))
                return refusal_make(x->refusal, REASON_SUBJECT_COUNT,
                                    "the statement has no array of subjects");
        return statement_decode_subjects(x->statement, subjects, x->refusal);
}

static int read_build_type(Reading *x)
{
        if (member_is(x->definition, "buildType", ATTESTATION_BUILD_TYPE))
                return 0;
        return refusal_make(x->refusal, REASON_BUILD_TYPE, "the build type is not '%s'",
                            ATTESTATION_BUILD_TYPE);
}

/* Exactly {"source": {"uri": URI}, "target": NAME}: what else steered the build, nobody here has agreed to.
 */
static int read_parameters(Reading *x)
{
        static const char *const names[] = {"source", "target", NULL}, *const source_names[] = {"uri", NULL};
        const char *uri, *target;
        size_t uri_size, target_size;
        SJson *parameters, *source;
        int r;

        if (sjson_get_object(x->definition, "externalParameters", &parameters) ||
            !sjson_only(parameters, names) || sjson_get_object(parameters, "source", &source) ||
            !sjson_only(source, source_names) || sjson_get_string(source, "uri", &uri, &uri_size) ||
            sjson_get_string(parameters, "target", &target, &target_size) || uri_size > LIMIT_URI_SIZE)
                return refusal_make(x->refusal, REASON_EXTERNAL_PARAMETERS,
                                    "externalParameters is not exactly source.uri and target");
        r = string_copy_n(&x->statement->source.uri, uri, uri_size);
        if (r)
                return error_fold(r);
        r = string_copy_n(&x->statement->target, target, target_size);
        return error_fold(r);
}

/* gitCommit names the commit for people; it may be SHA-1, so sha256 stands beside it and is what binds. */
static bool read_source_digest(AttestationSource *source, const SJson *dependency)
{
        uint8_t commit[32];
        const char *text;
        SJson *digest;
        size_t size;

        if (sjson_get_object(dependency, "digest", &digest) || sjson_size(digest) > LIMIT_DIGESTS)
                return false;
        if (sjson_get_string(digest, "gitCommit", &text, &size) || (size != 40 && size != 64) ||
            hex_decode(commit, size / 2, text, size))
                return false;
        memcpy(source->git_commit, text, size + 1);
        return sjson_get_string(digest, "sha256", &text, &size) == 0 &&
               hex_decode(source->sha256, SHA256_SIZE, text, size) == 0;
}

/* Exactly one of the dependencies is the source. */
static int read_dependencies(Reading *x)
{
        AttestationSource *source = &x->statement->source;
        SJson *dependencies;
        size_t n_found = 0;
        bool good = true;

        good = sjson_get_array(x->definition, "resolvedDependencies", &dependencies) == 0;
        for (size_t i = 0; good && i < sjson_size(dependencies); i++) {
                const SJson *dependency = sjson_at(dependencies, i);

                good = sjson_is_object(dependency);
                if (good && member_is(dependency, "uri", source->uri)) {
                        n_found++;
                        good = read_source_digest(source, dependency);
                }
        }
        if (good && n_found == 1)
                return 0;
        return refusal_make(
                x->refusal, REASON_SOURCE_DIGEST,
                "not exactly one resolved dependency is the source '%s', with gitCommit and sha256",
                refusal_quote(source->uri, strlen(source->uri)).text);
}

static int read_builder(Reading *x)
{
        SJson *builder;
        const char *id;
        size_t size;
        int r;

        if (sjson_get_object(x->run, "builder", &builder) || sjson_get_string(builder, "id", &id, &size) ||
            size > LIMIT_URI_SIZE)
                return refusal_make(x->refusal, REASON_BUILDER_ID, "the statement has no builder.id");
        r = string_copy_n(&x->statement->builder_id, id, size);
        return error_fold(r);
}

/* SLSA: "Unset, null, and empty field values MUST be interpreted equivalently."  False if it is there and no
 * time. */
static bool read_time(const SJson *metadata, const char *name, uint64_t *ret_usec)
{
        const char *text;
        SJson *value;
        size_t size;

        *ret_usec = 0;
        if (sjson_get(metadata, name, &value) || sjson_is_null(value))
                return true;
        if (!sjson_is_string(value))
                return false;
        text = sjson_string(value, &size);
        return size == 0 || timestamp_decode(ret_usec, text, size) == 0;
}

/* Times have to make sense; nothing is ever trusted because of one. */
static int read_times(Reading *x)
{
        uint64_t started, finished;
        SJson *metadata;

        if (sjson_get(x->run, "metadata", &metadata) || sjson_is_null(metadata))
                return 0;
        if (!sjson_is_object(metadata) || !read_time(metadata, "startedOn", &started) ||
            !read_time(metadata, "finishedOn", &finished))
                return refusal_make(x->refusal, REASON_STATEMENT_TIME,
                                    "startedOn or finishedOn is not an RFC 3339 time in UTC");
        if (finished > x->now_usec && finished - x->now_usec > STATEMENT_SKEW_USEC)
                return refusal_make(x->refusal, REASON_STATEMENT_TIME, "finishedOn is in the future");
        return 0;
}

static int parse(SJson **ret, Blob payload, const Refusal *refusal)
{
        SJsonError error;
        int r;

        r = sjson_parse(ret, payload.data, payload.size, &error);
        if (r <= 0)
                return error_fold(r);
        return refusal_make(refusal,
                            r == SJSON_E_DUPLICATE ? REASON_STATEMENT_DUPLICATE_MEMBER
                                                   : REASON_STATEMENT_SYNTAX,
                            "the statement is not strict JSON: line %d, column %d: %s", error.line,
                            error.column, refusal_quote(error.text, strlen(error.text)).text);
}

int statement_decode(Statement *s, Blob payload, uint64_t now_usec, const Refusal *refusal)
{
        static int (*const steps[])(Reading *) = {
                read_types,        read_subjects, read_build_type, read_parameters,
                read_dependencies, read_builder,  read_times,
        };
        _cleanup_(sjson_freep) SJson *document = NULL;
        Reading x = {.statement = s, .now_usec = now_usec, .refusal = refusal};
        int r;

        assert(s && s->n_subjects == 0);
        assert(refusal);

        r = parse(&document, payload, refusal);
        x.document = document;
        for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
                r = steps[i](&x);
        return r > 0 ? STATEMENT_E_REFUSED : error_fold(r);
}

void statement_deinit(Statement *s)
{
        assert(s);

        for (size_t i = 0; i < s->n_subjects; i++)
                free(s->subjects[i].name);
        free(s->subjects);
        free(s->source.uri);
        free(s->target);
        free(s->builder_id);
        *s = (Statement){0};
}
