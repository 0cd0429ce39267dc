/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/un.h>

#include "base/decimal.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/lines.h"
#include "config/config.h"

#define USEC_PER_SEC UINT64_C(1000000)

typedef struct Parser Parser;
typedef struct Setting Setting;

/* One setting: how many words follow its name, who reads them, and where the result goes. */
struct Setting {
        const char *name;
        size_t min, max;
        int (*parse)(Parser *p, const Setting *s, const Line *line);
        size_t offset;
        uint64_t limit; /* of a number */
        bool required;
};

#define SETTINGS_MAX 32

struct Parser {
        Config *config;
        const char *path;
        Buffer *messages;
        size_t n_faults;
        unsigned line;               /* the last one read */
        unsigned seen[SETTINGS_MAX]; /* line of each setting, 0: not yet */
        unsigned seen_role[_ROLE_MAX];
};

const char *config_role_to_string(ConfigRole role)
{
        static const char *const names[] = {
                [ROLE_SIGN] = "sign", [ROLE_OFFICER] = "officer", [ROLE_AUDIT] = "audit"};

        static_assert(ARRAY_SIZE(names) == _ROLE_MAX, "every role has a name");
        assert(role < _ROLE_MAX);
        return names[role];
}

Config *config_free(Config *c)
{
        if (!c)
                return NULL;
        for (size_t i = 0; i < _ROLE_MAX; i++)
                free(c->sockets[i].path);
        free(c->origin);
        free(c->site);
        free(c->policy_path);
        free(c->state_path);
        free(c->log_path);
        free(c->evidence_path);
        free(c->token_socket);
        free(c->token_module);
        free(c->token_module_args);
        free(c->token_uri);
        free(c->token_state);
        free(c->pin_file);
        free(c->pin_credential);
        free(c);
        return NULL;
}

_printf_(4, 5) static int parser_fault(Parser *p, unsigned line, unsigned column, const char *format, ...)
{
        _cleanup_(freep) char *text = NULL;
        va_list ap;
        int r;

        p->n_faults++;
        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return error_origin(-ENOMEM);
        }
        return error_fold(buffer_printf(p->messages, "%s:%u:%u: %s\n", p->path, line, column, text));
}

/* ---- what follows the name of a setting ---- */

static char **parser_string(Parser *p, const Setting *s)
{
        return (char **)((uint8_t *)p->config + s->offset);
}

static int parse_word(Parser *p, const Setting *s, const Line *line)
{
        return error_fold(word_copy(parser_string(p, s), &line->words[1]));
}

/* signed-note: a key name is "non-empty and must not contain any Unicode spaces or plus (U+002B)
 * characters". */
static int parse_origin(Parser *p, const Setting *s, const Line *line)
{
        const Word *w = &line->words[1];

        if (w->size > LIMIT_ORIGIN_SIZE)
                return parser_fault(p, line->number, w->column, "origin is longer than %d bytes",
                                    LIMIT_ORIGIN_SIZE);
        if (memchr(w->text, '+', w->size))
                return parser_fault(p, line->number, w->column, "origin must not contain a plus sign");
        return parse_word(p, s, line);
}

static int parse_name(Parser *p, const Setting *s, const Line *line)
{
        if (!word_is_name(&line->words[1]))
                return parser_fault(p, line->number, line->words[1].column,
                                    "%s is not a name: letters, digits, '.', '_', '-', at most %d", s->name,
                                    LIMIT_NAME_SIZE);
        return parse_word(p, s, line);
}

static bool word_is_path(const Word *w)
{
        return w->size > 1 && w->text[0] == '/' && w->text[w->size - 1] != '/';
}

static int parse_path(Parser *p, const Setting *s, const Line *line)
{
        if (!word_is_path(&line->words[1]))
                return parser_fault(p, line->number, line->words[1].column,
                                    "%s is not an absolute path without a slash at its end", s->name);
        return parse_word(p, s, line);
}

static int parse_socket_path(Parser *p, const Setting *s, const Line *line)
{
        const Word *w = &line->words[1];

        if (w->size >= sizeof(((struct sockaddr_un *)0)->sun_path))
                return parser_fault(p, line->number, w->column, "path is too long for a socket");
        return parse_path(p, s, line);
}

static int parse_text(Parser *p, const Setting *s, const Line *line)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        int r;

        for (size_t i = 1; i < line->n_words; i++) {
                if (i > 1) {
                        r = buffer_append_byte(&text, ' ');
                        if (r)
                                return error_fold(r);
                }
                r = buffer_append(&text, line->words[i].text, line->words[i].size);
                if (r)
                        return error_fold(r);
        }
        *parser_string(p, s) = buffer_take(&text);
        return 0;
}

static int parse_uri(Parser *p, const Setting *s, const Line *line)
{
        const Word *w = &line->words[1];

        if (w->size > LIMIT_URI_SIZE)
                return parser_fault(p, line->number, w->column, "URI is longer than %d bytes",
                                    LIMIT_URI_SIZE);
        if (w->size < 7 || memcmp(w->text, "pkcs11:", 7) != 0)
                return parser_fault(p, line->number, w->column, "not a PKCS#11 URI: it begins with pkcs11:");
        return parse_word(p, s, line);
}

static int parse_number(Parser *p, const Setting *s, const Line *line, uint64_t *ret, bool *ret_ok)
{
        const Word *w = &line->words[1];
        uint64_t v;

        *ret_ok = decimal_decode(&v, w->text, w->size, s->limit) == 0 && v >= 1;
        if (!*ret_ok)
                return parser_fault(p, line->number, w->column, "%s is not a number from 1 to %llu", s->name,
                                    (unsigned long long)s->limit);
        *ret = v;
        return 0;
}

static int parse_seconds(Parser *p, const Setting *s, const Line *line)
{
        uint64_t *usec = (uint64_t *)(void *)((uint8_t *)p->config + s->offset), v;
        bool ok;
        int r;

        r = parse_number(p, s, line, &v, &ok);
        if (r)
                return error_fold(r);
        if (ok)
                *usec = v * USEC_PER_SEC;
        return 0;
}

static int parse_workers(Parser *p, const Setting *s, const Line *line)
{
        uint64_t v;
        bool ok;
        int r;

        r = parse_number(p, s, line, &v, &ok);
        if (r)
                return error_fold(r);
        if (ok)
                p->config->workers = (unsigned)v;
        return 0;
}

/* A user by name or number.  The number need not be known to the system. */
static int parse_user(Parser *p, const Setting *s, const Line *line)
{
        const Word *w = &line->words[1];
        _cleanup_(freep) char *name = NULL;
        const struct passwd *pw;
        uint64_t v;
        int r;

        if (decimal_decode(&v, w->text, w->size, UINT32_MAX - 1) == 0) {
                p->config->token_client_uid = (uid_t)v;
                return 0;
        }
        r = word_copy(&name, w);
        if (r)
                return error_fold(r);
        pw = getpwnam(name);
        if (!pw)
                return parser_fault(p, line->number, w->column, "%s: there is no user '%s'", s->name, name);
        p->config->token_client_uid = pw->pw_uid;
        return 0;
}

static int parse_group(Parser *p, const Line *line, const Word *w, gid_t *ret)
{
        _cleanup_(freep) char *name = NULL;
        const struct group *gr;
        uint64_t v;
        int r;

        if (decimal_decode(&v, w->text, w->size, UINT32_MAX - 1) == 0) {
                *ret = (gid_t)v;
                return 0;
        }
        r = word_copy(&name, w);
        if (r)
                return error_fold(r);
        gr = getgrnam(name);
        if (!gr)
                return parser_fault(p, line->number, w->column, "there is no group '%s'", name);
        *ret = gr->gr_gid;
        return 0;
}

/* Three octal digits, with or without a zero before them. */
static bool word_is_mode(const Word *w, mode_t *ret)
{
        mode_t mode = 0;

        if (w->size != 3 && !(w->size == 4 && w->text[0] == '0'))
                return false;
        for (size_t i = 0; i < w->size; i++) {
                if (w->text[i] < '0' || w->text[i] > '7')
                        return false;
                mode = mode << 3 | (mode_t)(w->text[i] - '0');
        }
        *ret = mode;
        return true;
}

/* `mode OCTAL` and `group NAME` after the path, each at most once, in any order. */
static int parse_socket_options(Parser *p, const Line *line, ConfigSocket *socket)
{
        bool have_mode = false, have_group = false;
        int r;

        for (size_t i = 3; i < line->n_words; i += 2) {
                const Word *w = &line->words[i], *value = w + 1;

                if (i + 1 == line->n_words)
                        return parser_fault(p, line->number, w->column,
                                            "a value is missing after this word");
                if (word_is(w, "mode") && !have_mode) {
                        have_mode = true;
                        if (!word_is_mode(value, &socket->mode))
                                return parser_fault(p, line->number, value->column,
                                                    "mode is not three octal digits such as 0660");
                } else if (word_is(w, "group") && !have_group) {
                        have_group = true;
                        r = parse_group(p, line, value, &socket->gid);
                        if (r)
                                return error_fold(r);
                } else {
                        return parser_fault(p, line->number, w->column,
                                            "expected 'mode' or 'group', each at most once");
                }
        }
        return 0;
}

static int parse_socket(Parser *p, const Setting *s, const Line *line)
{
        const Word *path = &line->words[2];
        ConfigRole role = _ROLE_MAX;
        ConfigSocket *socket;
        int r;

        for (unsigned i = 0; i < _ROLE_MAX; i++)
                if (word_is(&line->words[1], config_role_to_string((ConfigRole)i)))
                        role = (ConfigRole)i;
        if (role == _ROLE_MAX)
                return parser_fault(p, line->number, line->words[1].column,
                                    "%s: expected sign, officer or audit", s->name);
        if (p->seen_role[role] > 0)
                return parser_fault(p, line->number, line->words[1].column, "socket %s was set in line %u",
                                    config_role_to_string(role), p->seen_role[role]);
        p->seen_role[role] = line->number;
        if (!word_is_path(path) || path->size >= sizeof(((struct sockaddr_un *)0)->sun_path))
                return parser_fault(p, line->number, path->column,
                                    "not an absolute path, or too long for a socket");
        socket = &p->config->sockets[role];
        r = word_copy(&socket->path, path);
        if (r)
                return error_fold(r);
        return parse_socket_options(p, line, socket);
}

/* ---- the grammar ---- */

#define AT(_member) .offset = offsetof(Config, _member)

static const Setting settings[] = {
        {"origin", 1, 1, parse_origin, AT(origin), .required = true},
        {"site", 1, 1, parse_name, AT(site), .required = true},
        {"policy", 1, 1, parse_path, AT(policy_path), .required = true},
        {"state", 1, 1, parse_path, AT(state_path), .required = true},
        {"log", 1, 1, parse_path, AT(log_path), .required = true},
        {"evidence", 1, 1, parse_path, AT(evidence_path)},
        {"socket", 2, 6, parse_socket, AT(sockets)},
        {"token-socket", 1, 1, parse_socket_path, AT(token_socket), .required = true},
        {"token-module", 1, 1, parse_path, AT(token_module), .required = true},
        {"token-module-args", 1, LIMIT_LINE_WORDS, parse_text, AT(token_module_args)},
        {"token-uri", 1, 1, parse_uri, AT(token_uri), .required = true},
        {"token-pin-file", 1, 1, parse_path, AT(pin_file)},
        {"token-pin-credential", 1, 1, parse_name, AT(pin_credential)},
        {"token-client-user", 1, 1, parse_user, .required = true},
        {"token-state", 1, 1, parse_path, AT(token_state), .required = true},
        {"token-timeout", 1, 1, parse_seconds, AT(token_timeout_usec), .limit = 300},
        {"workers", 1, 1, parse_workers, .limit = LIMIT_WORKERS},
        {"request-timeout", 1, 1, parse_seconds, AT(request_timeout_usec), .limit = 3600},
};
static_assert(ARRAY_SIZE(settings) <= SETTINGS_MAX, "every setting has a place in Parser.seen");

static int parser_take_line(Parser *p, const Line *line)
{
        const Word *name = &line->words[0];
        size_t i = 0;

        while (i < ARRAY_SIZE(settings) && !word_is(name, settings[i].name))
                i++;
        if (i == ARRAY_SIZE(settings))
                return parser_fault(p, line->number, name->column, "unknown setting '%.*s'",
                                    (int)(name->size < LIMIT_NAME_SIZE ? name->size : LIMIT_NAME_SIZE),
                                    name->text);
        if (line->n_words - 1 < settings[i].min)
                return parser_fault(p, line->number, name->column, "%s: a value is missing",
                                    settings[i].name);
        if (line->n_words - 1 > settings[i].max)
                return parser_fault(p, line->number, line->words[settings[i].max + 1].column,
                                    "%s: a word too many", settings[i].name);
        /* Each socket is remembered by its role. */
        if (p->seen[i] > 0 && settings[i].parse != parse_socket)
                return parser_fault(p, line->number, name->column, "%s was set in line %u", settings[i].name,
                                    p->seen[i]);
        p->seen[i] = line->number;
        return error_fold(settings[i].parse(p, &settings[i], line));
}

static int parser_take_file(Parser *p, Blob file)
{
        _cleanup_(lines_freep) LineReader *reader = NULL;
        const char *reason = NULL;
        Line line;
        int r;

        r = lines_new(&reader, file);
        if (r)
                return error_fold(r);
        for (;;) {
                r = lines_next(reader, &line, &reason);
                if (r < 0)
                        return error_fold(r);
                if (r == LINES_E_END)
                        return 0;
                p->line = line.number;
                if (r == LINES_E_INVALID)
                        r = parser_fault(p, line.number, line.words[0].column, "%s", reason);
                else
                        r = parser_take_line(p, &line);
                if (r)
                        return error_fold(r);
        }
}

/* What no single line can show: something missing, or two settings that exclude each other. */
static int parser_check_whole(Parser *p)
{
        const Config *c = p->config;
        unsigned end = p->line + 1, n_pin = 0, second = 0;
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(settings) && r == 0; i++) {
                if (settings[i].required && p->seen[i] == 0)
                        r = parser_fault(p, end, 1, "%s is missing", settings[i].name);
                if (settings[i].offset == offsetof(Config, pin_file) ||
                    settings[i].offset == offsetof(Config, pin_credential)) {
                        n_pin += p->seen[i] > 0;
                        second = p->seen[i] > second ? p->seen[i] : second;
                }
        }
        for (unsigned i = 0; i < _ROLE_MAX && r == 0; i++)
                if (p->seen_role[i] == 0)
                        r = parser_fault(p, end, 1, "socket %s is missing",
                                         config_role_to_string((ConfigRole)i));
        if (r == 0 && n_pin == 0)
                r = parser_fault(p, end, 1, "token-pin-file or token-pin-credential is missing");
        if (r == 0 && n_pin == 2)
                r = parser_fault(p, second, 1, "token-pin-file and token-pin-credential exclude each other");
        if (r)
                return error_fold(r);
        assert(p->n_faults > 0 || (c->pin_file == NULL) != (c->pin_credential == NULL));
        return 0;
}

static int config_new(Config **ret)
{
        Config *c;
        int r;

        r = memory_new0(&c, 1);
        if (r)
                return error_fold(r);
        c->token_timeout_usec = 10 * USEC_PER_SEC;
        c->request_timeout_usec = 60 * USEC_PER_SEC;
        c->workers = 2;
        for (size_t i = 0; i < _ROLE_MAX; i++) {
                c->sockets[i].mode = 0660;
                c->sockets[i].gid = (gid_t)-1;
        }
        *ret = c;
        return 0;
}

int config_parse(Config **ret, const char *path, Blob file, Buffer *messages)
{
        _cleanup_(config_freep) Config *c = NULL;
        Parser parser = {.path = path, .messages = messages};
        int r;

        assert(ret);
        assert(path);
        assert(messages);

        r = config_new(&c);
        if (r)
                return error_fold(r);
        parser.config = c;
        r = parser_take_file(&parser, file);
        if (r)
                return error_fold(r);
        r = parser_check_whole(&parser);
        if (r)
                return error_fold(r);
        if (parser.n_faults > 0)
                return CONFIG_E_INVALID;
        if (!c->evidence_path) {
                r = string_printf(&c->evidence_path, "%s/evidence", c->state_path);
                if (r)
                        return error_fold(r);
        }
        *ret = TAKE_PTR(c);
        return 0;
}

int config_load(Config **ret, const char *path, Buffer *messages)
{
        static const char *const faults[] = {
                [FILE_E_MISSING] = "there is no such file",
                [FILE_E_TYPE] = "not a regular file",
                [FILE_E_TOO_LARGE] = "the file is too large",
        };
        _cleanup_(buffer_deinit) Buffer file = BUFFER_NULL;
        int r;

        assert(ret);
        assert(path);
        assert(messages);

        r = file_read(&file, path, LIMIT_POLICY_SIZE);
        if (r < 0)
                return error_fold(r);
        if (r > 0) {
                assert((size_t)r < ARRAY_SIZE(faults));
                r = buffer_printf(messages, "%s:1:1: %s\n", path, faults[r]);
                return r < 0 ? error_fold(r) : CONFIG_E_INVALID;
        }
        r = config_parse(ret, path, buffer_blob(&file), messages);
        return r < 0 ? error_fold(r) : r;
}
