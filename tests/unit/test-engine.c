/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/server-world.h"

/* ---- allowed, and its reject twins ---- */

static void engine_attested_artifact_is_signed_in_every_format(void **state)
{
        static const struct {
                const char *release, *key, *format;
                size_t number;
                SignatureScheme scheme;
        } rows[] = {
                {"product", "product", "raw-ecdsa", 0, SCHEME_ECDSA_DER},
                {"product", "firmware", "raw-rsa-pkcs1-sha256", 1, SCHEME_RSA_PKCS1_SHA256},
                {"product", "firmware", "raw-rsa-pss-sha256", 1, SCHEME_RSA_PSS_SHA256},
                {"updates", "update", "raw-ed25519", 2, SCHEME_ED25519},
                {"updates", "kernel", "raw-ecdsa", 3, SCHEME_ECDSA_DER},
        };
        World *w = *state;
        Client c;

        world_files(w, 1);
        (void)world_file(w, BLOB_NULL); /* an empty file is a file */
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 2);
        world_attest_all(w, &c, "updates", 0, 2);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                _cleanup_(sjson_freep) SJson *reply = NULL;

                world_ask(w, &c, "Sign", rows[i].key, rows[i].format, rows[i].release, 0, 2, false);
                reply = client_reply(w, &c);
                assert_int_equal(n_results(reply), 2);
                for (size_t k = 0; k < 2; k++)
                        assert_signed(w, assert_result(reply, k, "signed"), rows[i].number, rows[i].scheme,
                                      k);
        }
        world_settle(w);
        assert_int_equal(w->n_asked, 10);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 10);
        assert_int_equal(world_entries(w, ENTRY_ATTESTATION), 4);
        assert_int_equal(world_entries(w, ENTRY_GENESIS), 1);
        client_close(&c);
}

static void engine_artifact_without_quorum_never_meets_the_token(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL;
        SJson *reply;
        Client c;

        world_files(w, 2);
        client_open(w, ROLE_SIGN, &c);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        reply = client_reply(w, &c);
        assert_member(assert_result(reply, 0, "refused"), "reason", "evidence-none");
        sjson_free(reply);

        world_envelope(w, "product", "farm-1", w->farm, 0, 1, 1, &envelope);
        sjson_free(world_attest(w, &c, buffer_blob(&envelope)));
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        reply = client_reply(w, &c);
        assert_member(assert_result(reply, 0, "refused"), "reason", "quorum-orgs");
        sjson_free(reply);
        world_settle(w);
        assert_int_equal(w->n_asked, 0);
        assert_int_equal(journal_next_intent(w->journal), 1);
        assert_int_equal(world_entries(w, ENTRY_REFUSAL), 2);
        client_close(&c);
}

static void engine_check_allows_and_leaves_no_trace(void **state)
{
        World *w = *state;
        uint64_t size;
        SJson *reply;
        Client c;

        world_files(w, 2);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        world_settle(w);
        size = journal_size(w->journal);
        world_ask(w, &c, "Check", "product", "raw-ecdsa", "product", 0, 2, false);
        reply = client_reply(w, &c);
        (void)assert_result(reply, 0, "allowed");
        (void)assert_result(reply, 1, "refused");
        sjson_free(reply);
        world_settle(w);
        assert_int_equal(journal_size(w->journal), size);
        assert_int_equal(w->n_asked, 0);
        client_close(&c);
}

/* ---- a token that fails ---- */

/* Ask for file 0 in a mode; the reply. */
static SJson *ask_product(World *w, Client *c, FakeMode mode)
{
        w->mode = mode;
        world_ask(w, c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        return client_reply(w, c);
}

static void engine_bad_signature_is_never_released_and_may_be_asked_again(void **state)
{
        static const struct {
                FakeMode mode;
                const char *reason;
        } rows[] = {
                {FAKE_WRONG, "signature-wrong"}, {FAKE_SHORT, "signature-wrong"},
                {FAKE_ERROR, "token-failed"},    {FAKE_DIE, "outcome-unknown"},
                {FAKE_COUNT, "outcome-unknown"},
        };
        World *w = *state;
        const char *text;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const SJson *result;

                reply = ask_product(w, &c, rows[i].mode);
                result = assert_result(reply, 0, "failed");
                assert_member(result, "reason", rows[i].reason);
                assert_int_equal(sjson_get_string(result, "signature", &text, NULL), SJSON_E_MISSING);
                sjson_free(reply);
                w->mode = FAKE_GOOD;
                world_settle(w);
                assert_int_equal(world_entries(w, ENTRY_ABANDONED), i + 1);
                assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 0);
        }
        reply = ask_product(w, &c, FAKE_GOOD);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        world_settle(w);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
        client_close(&c);
}

static void engine_hanging_worker_is_given_up_at_its_deadline(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        w->mode = FAKE_HANG;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_SIGNING, 1);
        loop_skip(5 * 1000 * 1000);
        world_turns(w, 20);
        assert_int_equal(core_n_jobs(w->server.engine->core), 1);
        w->mode = FAKE_GOOD;
        loop_skip(1500 * 1000);
        reply = client_reply(w, &c);
        assert_member(assert_result(reply, 0, "failed"), "reason", "outcome-unknown");
        sjson_free(reply);
        loop_skip(20 * 1000 * 1000); /* the back-off of that worker */
        world_settle(w);
        assert_int_equal(world_entries(w, ENTRY_ABANDONED), 1);
        reply = ask_product(w, &c, FAKE_GOOD);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
}

static void engine_token_down_fails_in_time_without_an_intent(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        fake_gone(w);
        world_turns(w, 50);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_READY, 1);
        loop_skip(WORLD_REQUEST);
        reply = client_reply(w, &c);
        assert_member(assert_result(reply, 0, "failed"), "reason", "token-unavailable");
        sjson_free(reply);
        assert_int_equal(journal_next_intent(w->journal), 1);
        assert_int_equal(core_n_jobs(w->server.engine->core), 0);
        client_close(&c);
}

/* Promise 3: without a signed checkpoint nothing leaves, however good the signature is. */
static void engine_wrong_checkpoint_holds_everything_back(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        w->mode = FAKE_CHECKPOINT;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_COMMITTING, 1);
        for (int i = 0; i < 5; i++) {
                loop_skip(1000 * 1000);
                world_turns(w, 100);
        }
        assert_int_equal(core_n_jobs(w->server.engine->core), 1);
        assert_true(journal_published(w->journal) < journal_size(w->journal));
        assert_int_equal(recv(c.fd, &(char){0}, 1, MSG_DONTWAIT), -1);
        w->mode = FAKE_GOOD;
        loop_skip(1000 * 1000);
        reply = client_reply(w, &c);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
}

/* ---- the same question more than once ---- */

static void engine_repeated_question_gets_the_recorded_signature(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer first = BUFFER_NULL, second = BUFFER_NULL;
        SJson *reply;
        bool repeated;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        reply = ask_product(w, &c, FAKE_GOOD);
        signature_get(assert_result(reply, 0, "signed"), &first);
        sjson_free(reply);
        reply = ask_product(w, &c, FAKE_WRONG); /* nobody asks the token */
        signature_get(assert_result(reply, 0, "signed"), &second);
        assert_int_equal(sjson_get_bool(assert_result(reply, 0, "signed"), "repeated", &repeated), 0);
        assert_true(repeated);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        assert_true(blob_equal(buffer_blob(&first), buffer_blob(&second)));
        assert_int_equal(w->n_asked, 1);
        client_close(&c);
}

static void engine_concurrent_questions_give_one_signature(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer first = BUFFER_NULL;
        Client c[3];

        world_files(w, 1);
        w->files[1] = w->files[0]; /* the same content twice in each request */
        w->files[1].fd = memfd_of(buffer_blob(&w->files[0].content));
        w->files[1].content = (Buffer)BUFFER_NULL;
        w->n_files = 2;
        for (size_t i = 0; i < 3; i++)
                client_open(w, ROLE_SIGN, &c[i]);
        world_attest_all(w, &c[0], "product", 0, 1);
        w->mode = FAKE_HOLD;
        for (size_t i = 0; i < 3; i++)
                world_ask(w, &c[i], "Sign", "product", "raw-ecdsa", "product", 0, 2, false);
        world_until_state(w, JOB_FOLLOWING, 5);
        world_until_state(w, JOB_SIGNING, 1);
        w->mode = FAKE_GOOD;
        for (size_t i = 0; i < 6; i++) {
                static SJson *reply;
                _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL;

                if (i % 2 == 0)
                        reply = client_reply(w, &c[i / 2]);
                signature_get(assert_result(reply, i % 2, "signed"), &signature);
                assert_signed(w, assert_result(reply, i % 2, "signed"), 0, SCHEME_ECDSA_DER, 0);
                if (i == 0)
                        assert_int_equal(buffer_append(&first, signature.data, signature.size), 0);
                assert_true(blob_equal(buffer_blob(&first), buffer_blob(&signature)));
                if (i % 2 == 1)
                        reply = sjson_free(reply);
        }
        world_settle(w);
        assert_int_equal(w->n_asked, 1);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
        for (size_t i = 0; i < 3; i++)
                client_close(&c[i]);
}

static void engine_followers_of_a_failed_signature_ask_again(void **state)
{
        World *w = *state;
        SJson *reply;
        Client a, b;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &a, "product", 0, 1);
        w->mode = FAKE_HOLD;
        world_ask(w, &a, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_SIGNING, 1);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        w->mode = FAKE_WRONG;
        reply = client_reply(w, &a);
        assert_member(assert_result(reply, 0, "failed"), "reason", "signature-wrong");
        sjson_free(reply);
        w->mode = FAKE_GOOD;
        reply = client_reply(w, &b);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        world_settle(w);
        assert_int_equal(world_entries(w, ENTRY_ABANDONED), 1);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
        client_close(&a);
        client_close(&b);
}

/* Leader and follower reach their deadline in one turn: each is answered once, and the daemon goes on. */
static void engine_leader_and_follower_end_in_one_step(void **state)
{
        World *w = *state;
        SJson *reply;
        Client a, b;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &a, "product", 0, 1);
        fake_gone(w);
        world_turns(w, 50);
        world_ask(w, &a, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_READY, 1);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        loop_skip(2 * WORLD_REQUEST);
        reply = client_reply(w, &a);
        assert_member(assert_result(reply, 0, "failed"), "reason", "token-unavailable");
        sjson_free(reply);
        reply = client_reply(w, &b);
        assert_member(assert_result(reply, 0, "failed"), "reason", "token-unavailable");
        sjson_free(reply);
        assert_int_equal(core_n_jobs(w->server.engine->core), 0);
        client_close(&a);
        client_close(&b);
}

/* The token is lost after it signed: the leader's entry waits for a checkpoint, the follower need not. */
static void engine_follower_of_a_stuck_entry_is_answered_in_time(void **state)
{
        World *w = *state;
        SJson *reply;
        Client a, b;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &a, "product", 0, 1);
        w->mode = FAKE_CHECKPOINT;
        world_ask(w, &a, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_COMMITTING, 1);
        fake_gone(w);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        loop_skip(WORLD_REQUEST);
        reply = client_reply(w, &b);
        (void)assert_result(reply, 0, "failed");
        sjson_free(reply);
        reply = client_reply(w, &a);
        (void)assert_result(reply, 0, "failed");
        sjson_free(reply);
        fake_listen(w);
        w->mode = FAKE_GOOD;
        loop_skip(20 * 1000 * 1000);
        world_settle(w);
        reply = ask_product(w, &b, FAKE_WRONG);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&a);
        client_close(&b);
}

/* ---- many ---- */

static void engine_batch_is_signed_whole_with_more_and_without(void **state)
{
        World *w = *state;
        Client c;

        world_files(w, 400);
        client_open(w, ROLE_SIGN, &c);
        for (size_t i = 0; i < 2; i++) {
                size_t first = i * 200, n = 0;

                world_attest_all(w, &c, "updates", first, 200);
                world_ask(w, &c, "Sign", "update", "raw-ed25519", "updates", first, 200, i == 1);
                for (bool more = true; more;) {
                        _cleanup_(sjson_freep) SJson *reply = client_reply(w, &c);
                        SJson *results;

                        if (sjson_get_bool(reply, "continues", &more) != 0)
                                more = false;
                        assert_int_equal(sjson_get_array(assert_parameters(reply), "results", &results), 0);
                        n += sjson_size(results);
                        for (size_t k = 0; k < sjson_size(results); k++) {
                                uint64_t index;

                                assert_int_equal(sjson_get_u64(sjson_at(results, k), "index", &index), 0);
                                assert_signed(w, assert_result(reply, index, "signed"), 2, SCHEME_ED25519,
                                              first + index);
                        }
                }
                assert_int_equal(n, 200);
        }
        world_settle(w);
        assert_int_equal(w->n_asked, 400);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 400);
        client_close(&c);
}

/* ---- the peer goes away ---- */

static void assert_nothing_is_left(World *w)
{
        w->mode = FAKE_GOOD;
        world_settle(w);
        world_turns(w, 20);
        assert_int_equal(peers_n(w->server.peers), 0); /* and with it every charge: account.c asserts that */
        assert_int_equal(w->server.engine->n_free_requests, LIMIT_JOBS);
        assert_int_equal(w->n_asked, world_entries(w, ENTRY_SIGNATURE) + world_entries(w, ENTRY_ABANDONED));
}

static void engine_request_gone_while_hashing_leaves_nothing(void **state)
{
        World *w = *state;
        Client c;
        int fd;

        world_files(w, 3);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 3);
        fd = w->files[1].fd; /* takes many turns */
        assert_int_equal(ftruncate(fd, 64 * 1024 * 1024), 0);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 1, 2, false);
        while (!w->server.engine->hash_head)
                world_turn(w);
        world_turns(w, 3);
        assert_non_null(w->server.engine->hash_head);
        client_close(&c);
        world_until_state(w, JOB_NEW, 0);
        assert_nothing_is_left(w);
        assert_null(w->server.engine->hash_head);
        assert_null(w->server.engine->hash_tail);
}

static void engine_request_gone_while_ready_leaves_nothing(void **state)
{
        World *w = *state;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        fake_gone(w);
        world_turns(w, 50);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_READY, 1);
        client_close(&c);
        world_until_state(w, JOB_READY, 0);
        assert_nothing_is_left(w);
        assert_int_equal(journal_next_intent(w->journal), 1);
}

static void engine_request_gone_while_following_leaves_its_leader_alone(void **state)
{
        World *w = *state;
        SJson *reply;
        Client a, b;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &a, "product", 0, 1);
        w->mode = FAKE_HOLD;
        world_ask(w, &a, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_SIGNING, 1);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        client_close(&b);
        world_until_state(w, JOB_FOLLOWING, 0);
        client_open(w, ROLE_SIGN, &b); /* another follower, in the place of the one that left */
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        w->mode = FAKE_GOOD;
        reply = client_reply(w, &a);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        reply = client_reply(w, &b);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&a);
        client_close(&b);
        assert_nothing_is_left(w);
}

/* Its own followers end with it; those of others lead on. */
static void engine_request_gone_leader_hands_over_to_its_followers(void **state)
{
        World *w = *state;
        SJson *reply;
        Client a, b;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &a);
        client_open(w, ROLE_SIGN, &b);
        world_attest_all(w, &a, "product", 0, 1);
        fake_gone(w);
        world_turns(w, 50);
        w->files[1] = w->files[0];
        w->files[1].fd = memfd_of(buffer_blob(&w->files[0].content));
        w->files[1].content = (Buffer)BUFFER_NULL;
        w->n_files = 2;
        world_ask(w, &a, "Sign", "product", "raw-ecdsa", "product", 0, 2, false);
        world_until_state(w, JOB_FOLLOWING, 1);
        world_ask(w, &b, "Sign", "product", "raw-ecdsa", "product", 0, 2, false);
        world_until_state(w, JOB_FOLLOWING, 3);
        client_close(&a);
        world_until_state(w, JOB_FOLLOWING, 1);
        world_until_state(w, JOB_READY, 1);
        fake_listen(w);
        loop_skip(10 * 1000 * 1000);
        reply = client_reply(w, &b);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&b);
        assert_nothing_is_left(w);
        assert_int_equal(w->n_asked, 1);
}

/* With an intent there is an entry, whoever is there to hear of it. */
static void engine_request_gone_while_queued_and_signing_still_ends_in_entries(void **state)
{
        World *w = *state;
        Client c;

        world_files(w, 20);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "updates", 0, 20);
        w->mode = FAKE_HOLD;
        world_ask(w, &c, "Sign", "update", "raw-ed25519", "updates", 0, 20, false);
        world_until_state(w, JOB_SIGNING, 2 * WORLD_WORKERS); /* two frames of one, since content travels */
        world_until_state(w, JOB_QUEUED, 20 - 2 * WORLD_WORKERS);
        client_close(&c);
        world_turns(w, 50);
        assert_int_equal(peers_n(w->server.peers), 0);
        assert_nothing_is_left(w);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 20);
}

static void engine_request_gone_while_committing_is_no_matter(void **state)
{
        World *w = *state;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        w->mode = FAKE_CHECKPOINT;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_COMMITTING, 1);
        client_close(&c);
        world_turns(w, 50);
        loop_skip(1000 * 1000);
        assert_nothing_is_left(w);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
}

/* ---- restart and stop ---- */

static void engine_start_closes_open_intents_as_abandoned(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 8);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 8);
        w->mode = FAKE_HOLD;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 8, false);
        world_until_state(w, JOB_SIGNING, 2 * WORLD_WORKERS);
        assert_int_equal(journal_n_intents(w->journal), 8);
        client_close(&c);
        world_stop(w);
        w->mode = FAKE_GOOD;
        for (size_t i = 0; i < w->n_fakes; i++) {
                w->fakes[i].fd = close_fd(w->fakes[i].fd);
                w->fakes[i].held_fd = close_fd(w->fakes[i].held_fd);
        }
        w->n_fakes = 0;
        world_start(w);
        world_settle(w);
        assert_int_equal(world_entries(w, ENTRY_ABANDONED), 8);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 0);
        assert_int_equal(world_entries(w, ENTRY_GENESIS), 1);
        client_open(w, ROLE_SIGN, &c);
        reply = ask_product(w, &c, FAKE_GOOD);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
}

/* hsmd ends after the entry is durable and before its checkpoint is signed: asked again it must not sign
 * again. */
static void engine_restart_before_the_checkpoint_does_not_sign_twice(void **state)
{
        World *w = *state;
        SJson *reply;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_attest_all(w, &c, "product", 0, 1);
        w->mode = FAKE_CHECKPOINT;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_COMMITTING, 1);
        client_close(&c);
        world_stop(w);
        for (size_t i = 0; i < w->n_fakes; i++) {
                w->fakes[i].fd = close_fd(w->fakes[i].fd);
                w->fakes[i].held_fd = close_fd(w->fakes[i].held_fd);
        }
        w->n_fakes = 0;
        world_start(w);
        client_open(w, ROLE_SIGN, &c);
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        reply = client_reply(w, &c);
        assert_member(assert_result(reply, 0, "failed"), "reason", "token-unavailable");
        sjson_free(reply);

        w->mode = FAKE_GOOD;
        loop_skip(20 * 1000 * 1000);
        while (journal_published(w->journal) < journal_size(w->journal))
                world_turn(w);
        reply = ask_product(w, &c, FAKE_GOOD);
        assert_signed(w, assert_result(reply, 0, "signed"), 0, SCHEME_ECDSA_DER, 0);
        sjson_free(reply);
        client_close(&c);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
}

static void engine_stop_finishes_what_has_an_intent_and_ends(void **state)
{
        World *w = *state;
        SJson *reply;
        int code = -1;
        Client c, d;

        world_files(w, 2);
        client_open(w, ROLE_SIGN, &c);
        client_open(w, ROLE_SIGN, &d);
        world_attest_all(w, &c, "product", 0, 2);
        w->mode = FAKE_HOLD;
        world_ask(w, &c, "Sign", "product", "raw-ecdsa", "product", 0, 1, false);
        world_until_state(w, JOB_SIGNING, 1);
        assert_int_equal(engine_stop(w->server.engine), 0);
        world_ask(w, &d, "Sign", "product", "raw-ecdsa", "product", 1, 1, false);
        reply = client_reply(w, &d);
        assert_error(reply, "org.hsmd.Sign.Busy");
        sjson_free(reply);
        w->mode = FAKE_GOOD;
        for (unsigned i = 0; !loop_ended(w->loop, &code); i++) {
                assert_true(i < 20000);
                assert_true(loop_step(w->loop, 100) >= 0);
                fake_turn(w);
        }
        assert_int_equal(code, 0);
        assert_int_equal(world_entries(w, ENTRY_SIGNATURE), 1);
        client_close(&c);
        client_close(&d);
}

/* ---- evidence in the journal ---- */

/* What an entry names as contradicted has to be an envelope that is there. */
static void engine_dissent_is_journaled_by_the_id_of_what_it_contradicts(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer first = BUFFER_NULL, second = BUFFER_NULL, content = BUFFER_NULL;
        char id[65];
        uint8_t hash[32];
        uint64_t n;
        SJson *reply;
        Client c;

        world_files(w, 2);
        memcpy(w->files[1].name, w->files[0].name, sizeof(w->files[0].name));
        client_open(w, ROLE_SIGN, &c);
        world_envelope(w, "product", "farm-1", w->farm, 0, 1, 1, &first);
        world_envelope(w, "product", "overseer-1", w->overseer, 1, 1, 1, &second);
        sjson_free(world_attest(w, &c, buffer_blob(&first)));
        reply = world_attest(w, &c, buffer_blob(&second));
        assert_int_equal(sjson_get_u64(assert_parameters(reply), "contradicts", &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(sjson_get_u64(assert_parameters(reply), "entry", &n), 0);
        sjson_free(reply);
        assert_int_equal(journal_get(w->journal, n, &content, NULL), 0);
        sha256(hash, first.data, first.size);
        hex_encode(id, hash, 32);
        id[64] = '\0';
        assert_non_null(strstr((const char *)content.data, "\"contradicts\":[\""));
        assert_non_null(strstr(strstr((const char *)content.data, "\"contradicts\":[\""), id));
        client_close(&c);
}

static void engine_known_attestation_is_not_entered_again(void **state)
{
        World *w = *state;
        _cleanup_(buffer_deinit) Buffer envelope = BUFFER_NULL;
        SJson *reply;
        uint64_t first, second;
        bool known;
        Client c;

        world_files(w, 1);
        client_open(w, ROLE_SIGN, &c);
        world_envelope(w, "product", "farm-1", w->farm, 0, 1, 1, &envelope);
        reply = world_attest(w, &c, buffer_blob(&envelope));
        assert_int_equal(sjson_get_bool(assert_parameters(reply), "known", &known), 0);
        assert_false(known);
        assert_int_equal(sjson_get_u64(assert_parameters(reply), "entry", &first), 0);
        sjson_free(reply);
        reply = world_attest(w, &c, buffer_blob(&envelope));
        assert_int_equal(sjson_get_bool(assert_parameters(reply), "known", &known), 0);
        assert_true(known);
        assert_int_equal(sjson_get_u64(assert_parameters(reply), "entry", &second), 0);
        assert_int_equal(first, second);
        sjson_free(reply);
        assert_int_equal(world_entries(w, ENTRY_ATTESTATION), 1);
        client_close(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                WORLD_TEST(engine_attested_artifact_is_signed_in_every_format),
                WORLD_TEST(engine_artifact_without_quorum_never_meets_the_token),
                WORLD_TEST(engine_check_allows_and_leaves_no_trace),
                WORLD_TEST(engine_bad_signature_is_never_released_and_may_be_asked_again),
                WORLD_TEST(engine_hanging_worker_is_given_up_at_its_deadline),
                WORLD_TEST(engine_token_down_fails_in_time_without_an_intent),
                WORLD_TEST(engine_wrong_checkpoint_holds_everything_back),
                WORLD_TEST(engine_repeated_question_gets_the_recorded_signature),
                WORLD_TEST(engine_concurrent_questions_give_one_signature),
                WORLD_TEST(engine_followers_of_a_failed_signature_ask_again),
                WORLD_TEST(engine_leader_and_follower_end_in_one_step),
                WORLD_TEST(engine_follower_of_a_stuck_entry_is_answered_in_time),
                WORLD_TEST(engine_batch_is_signed_whole_with_more_and_without),
                WORLD_TEST(engine_request_gone_while_hashing_leaves_nothing),
                WORLD_TEST(engine_request_gone_while_ready_leaves_nothing),
                WORLD_TEST(engine_request_gone_while_following_leaves_its_leader_alone),
                WORLD_TEST(engine_request_gone_leader_hands_over_to_its_followers),
                WORLD_TEST(engine_request_gone_while_queued_and_signing_still_ends_in_entries),
                WORLD_TEST(engine_request_gone_while_committing_is_no_matter),
                WORLD_TEST(engine_start_closes_open_intents_as_abandoned),
                WORLD_TEST(engine_restart_before_the_checkpoint_does_not_sign_twice),
                WORLD_TEST(engine_stop_finishes_what_has_an_intent_and_ends),
                WORLD_TEST(engine_dissent_is_journaled_by_the_id_of_what_it_contradicts),
                WORLD_TEST(engine_known_attestation_is_not_entered_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
