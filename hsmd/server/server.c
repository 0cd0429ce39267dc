/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>

#include "base/error.h"
#include "base/file.h"
#include "journal/entry.h"
#include "server/log.h"
#include "server/methods.h"
#include "server/server.h"
#include "server/service.h"
#include "server/socket.h"

/* ---- policy ---- */

static int server_load_policy(const Config *config, Policy **ret)
{
        _cleanup_(buffer_deinit) Buffer document = BUFFER_NULL;
        PolicyFaults faults = {0};
        int r;

        r = file_read(&document, config->policy_path, LIMIT_POLICY_SIZE);
        if (r != 0) {
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                          "%s: the policy cannot be read: %s", config->policy_path,
                          r < 0                 ? strerror(-r)
                          : r == FILE_E_MISSING ? "no such file"
                                                : "not a file of at most 1 MiB");
                return 1;
        }
        r = policy_parse(ret, buffer_blob(&document), &faults);
        for (size_t i = 0; i < faults.n; i++)
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL, "%s:%u:%u: %s",
                          config->policy_path, faults.items[i].line, faults.items[i].column,
                          faults.items[i].text);
        policy_faults_deinit(&faults);
        return r < 0 ? error_fold(r) : r != 0;
}

/* What configuration and policy have to agree on. */
static bool server_check_policy(const Config *config, const Policy *policy, size_t *ret_site)
{
        *ret_site = policy_find_site(policy, config->site);
        if (*ret_site == SIZE_MAX)
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                          "the policy has no site \"%s\" (site in hsmd.conf)", config->site);
        if (strcmp(config->origin, policy->origin) != 0)
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                          "origin \"%s\" of hsmd.conf is not the log of the policy, \"%s\"", config->origin,
                          policy->origin);
        return *ret_site != SIZE_MAX && strcmp(config->origin, policy->origin) == 0;
}

/* ---- journal ---- */

/* Entry 0 names the policy that this journal began with: no other may be put in its place (promise 5). */
static int server_check_genesis(Journal *journal, const Policy *policy)
{
        _cleanup_(buffer_deinit) Buffer first = BUFFER_NULL, expected = BUFFER_NULL;
        _cleanup_(entry_deinit) Entry entry = {0};
        EntryGenesis genesis;
        SJson *site_owner;
        const char *site;
        int r;

        if (journal_size(journal) == 0)
                return 0;
        r = journal_get(journal, 0, &first, NULL);
        if (r == 0)
                r = entry_decode(&entry, buffer_blob(&first));
        if (r != 0)
                return error_fold(r);
        site_owner = entry.document;
        if (strcmp(entry.type, ENTRY_GENESIS) != 0 || sjson_get_string(site_owner, "site", &site, NULL) != 0)
                return 1;
        genesis = (EntryGenesis){.time_usec = entry.time_usec,
                                 .origin = policy->origin,
                                 .site = site,
                                 .policy_serial = policy->serial,
                                 .policy_sha256 = policy->sha256};
        r = entry_write_genesis(&genesis, &expected);
        if (r != 0)
                return error_fold(r);
        return !blob_equal(buffer_blob(&first), buffer_blob(&expected));
}

/* The folders themselves; whatever they stand in is the admin's. */
static bool server_make_folders(const Config *config)
{
        const struct {
                const char *path;
                mode_t mode;
        } folders[] = {{config->state_path, 0700}, {config->log_path, 0755}, {config->evidence_path, 0755}};

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                if (mkdir(folders[i].path, folders[i].mode) < 0 && errno != EEXIST) {
                        log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                                  "cannot make the folder %s: %s", folders[i].path, strerror(errno));
                        return false;
                }
        return true;
}

static ServerExit server_open_journal(const Config *config, const Policy *policy, Journal **ret)
{
        _cleanup_(buffer_deinit) Buffer message = BUFFER_NULL;
        JournalOptions options = {.state_path = config->state_path,
                                  .log_path = config->log_path,
                                  .evidence_path = config->evidence_path,
                                  .origin = config->origin,
                                  .log_key = policy->log_key,
                                  .create = true};
        int r = journal_open(ret, &options, &message);

        if (r != 0) {
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL, "%s",
                          message.size > 0 ? (const char *)message.data : "the journal cannot be opened");
                return r < 0 ? SERVER_EXIT_FAULT : SERVER_EXIT_STATE;
        }
        r = server_check_genesis(*ret, policy);
        if (r < 0)
                return SERVER_EXIT_FAULT;
        if (r > 0) {
                log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                          "%s is not the policy that this journal began with (its entry 0 names another); "
                          "put the right file back, or begin a new journal in an empty state folder",
                          config->policy_path);
                return SERVER_EXIT_STATE;
        }
        return SERVER_EXIT_OK;
}

/* ---- sockets ---- */

static int server_listen(Server *s)
{
        for (ConfigRole role = 0; role < _ROLE_MAX; role++) {
                _cleanup_(close_fdp) int fd = service_take_socket(config_role_to_string(role));
                const char *path = s->config->sockets[role].path;
                int r = fd < 0 ? socket_listen(&s->config->sockets[role], &fd) : 0;

                if (r == 0)
                        r = peers_listen(s->peers, role, TAKE_FD(fd));
                if (r != 0) {
                        log_write(LOG_STATE_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL,
                                  "cannot listen on %s: %s", path,
                                  r == SOCKET_E_IN_USE ? "another process does (is hsmd running already?)"
                                  : r == SOCKET_E_PATH
                                          ? "the path is too long for a socket, or something else is there"
                                          : strerror(-r));
                        return 1;
                }
        }
        return 0;
}

/* ---- the run ---- */

static int server_on_signal(void *userdata)
{
        Server *s = userdata;

        service_stopping();
        log_write(LOG_STOPPED, LOG_INFO, LOG_NO_UID, NULL, NULL, "stopping: finishing what is under way");
        peers_stop(s->peers);
        return error_fold(engine_stop(s->engine));
}

static ServerExit server_loop(Server *s, Loop *loop)
{
        _cleanup_(loop_source_freep) LoopSource *term = NULL, *interrupt = NULL;
        int r;

        r = loop_add_signal(loop, &term, SIGTERM, server_on_signal, s);
        if (r == 0)
                r = loop_add_signal(loop, &interrupt, SIGINT, server_on_signal, s);
        if (r == 0)
                r = loop_enable_watchdog(loop);
        if (r == 0)
                r = engine_start(s->engine);
        if (r != 0)
                return SERVER_EXIT_FAULT;
        log_write(LOG_STARTED, LOG_INFO, LOG_NO_UID, NULL, NULL,
                  "hsmd " HSMD_VERSION " serves %s at site %s, policy serial %llu", s->config->origin,
                  s->config->site, (unsigned long long)s->engine->policy->serial);
        service_ready();
        r = loop_run(loop);
        if (r < 0) {
                log_write(LOG_FAULT, LOG_ERR, LOG_NO_UID, NULL, NULL, "ended by a fault: %s", strerror(-r));
                return SERVER_EXIT_FAULT;
        }
        return r == 0 ? SERVER_EXIT_OK
                      : SERVER_EXIT_CONFIG; /* a key that must not be used: logged where it was found */
}

ServerExit server_run(const Config *config)
{
        static const PeersCallbacks callbacks = {methods_call, methods_gone};
        _cleanup_(policy_freep) Policy *policy = NULL;
        _cleanup_(journal_freep) Journal *journal = NULL;
        _cleanup_(loop_freep) Loop *loop = NULL;
        Server s = {.config = config};
        ServerExit exit_code;
        size_t site;
        int r;

        r = server_load_policy(config, &policy);
        if (r != 0)
                return r < 0 ? SERVER_EXIT_FAULT : SERVER_EXIT_CONFIG;
        if (!server_check_policy(config, policy, &site))
                return SERVER_EXIT_CONFIG;
        if (!server_make_folders(config))
                return SERVER_EXIT_CONFIG;
        exit_code = server_open_journal(config, policy, &journal);
        if (exit_code != SERVER_EXIT_OK)
                return exit_code;

        r = loop_new(&loop);
        if (r == 0)
                r = engine_new(&s.engine, loop, config, policy, site, journal);
        if (r == 0)
                r = peers_new(&s.peers, loop, &callbacks, &s);
        if (r == 0)
                s.engine->peers = s.peers;
        if (r != 0)
                exit_code = SERVER_EXIT_FAULT;
        else if (server_listen(&s) != 0)
                exit_code = SERVER_EXIT_CONFIG;
        else
                exit_code = server_loop(&s, loop);
        peers_free(s.peers);
        engine_free(s.engine);
        log_write(LOG_STOPPED, LOG_INFO, LOG_NO_UID, NULL, NULL, "stopped");
        return exit_code;
}
