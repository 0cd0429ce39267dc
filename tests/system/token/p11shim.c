/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module that forwards to another one, fails when told to, and keeps a record of what was called.
 *
 *     P11SHIM_MODULE       the module behind it
 *     P11SHIM              CALL:N=ACTION,...: CALL is C_Login, C_OpenSession, C_SignInit or C_Sign; N counts
 *                          from 1 or is * for every call; ACTION is hang, crash, corrupt, short (both for
 *                          C_Sign) or a CK_RV in hexadecimal, returned instead of what the module says; only
 *                          C_Sign calls it nevertheless
 *     P11SHIM_RECORD       a file with a line for each such call: "CALL N pid=PID rv=RV".  RV is "pending"
 *                          while the call has not returned, and for ever if it never does.  With it N counts
 *                          over all processes that share the record, without it in each process.
 *                          In RECORD.signed is a line before and a line after each C_Sign:
 *                          "asked PID N MECHANISM DATA" and "done PID N RV SIGNATURE", all but PID and N
 *                          in hexadecimal, DATA cut if it is long; N counts the calls of PID
 *     P11SHIM_TOKEN_FLAGS  bits that C_GetTokenInfo reports beside those of the token, in hexadecimal
 */
#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <p11-kit/pkcs11.h>

typedef enum Call {
        CALL_LOGIN,
        CALL_OPEN_SESSION,
        CALL_SIGN_INIT,
        CALL_SIGN,
        _CALL_MAX,
} Call;

static const char *const call_names[] = {
        [CALL_LOGIN] = "C_Login",
        [CALL_OPEN_SESSION] = "C_OpenSession",
        [CALL_SIGN_INIT] = "C_SignInit",
        [CALL_SIGN] = "C_Sign",
};

typedef enum Action {
        ACTION_FORWARD,
        ACTION_CORRUPT,
        ACTION_SHORT,
        ACTION_RETURN,
} Action;

typedef struct Step {
        Action action;
        CK_RV rv;       /* of ACTION_RETURN */
        off_t rv_place; /* in the record; -1: none */
} Step;

#define RV_WIDTH 10

static CK_FUNCTION_LIST list, *module;
static unsigned long counts[_CALL_MAX];
static int record_fd = -1;
static off_t record_read; /* up to here the lines are counted */
static int signed_fd = -1;
static unsigned long n_signed;
static CK_MECHANISM_TYPE mechanism_now; /* a worker has one session */

static void fail(const char *what)
{
        (void)dprintf(STDERR_FILENO, "p11shim: %s\n", what);
        abort();
}

/* ---- the record ---- */

static void record_open(void)
{
        const char *path = getenv("P11SHIM_RECORD");

        if (!path || record_fd >= 0)
                return;
        record_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (record_fd < 0)
                fail("P11SHIM_RECORD cannot be opened");
}

static void record_count_line(const char *line)
{
        for (unsigned i = 0; i < _CALL_MAX; i++) {
                size_t size = strlen(call_names[i]);

                if (strncmp(line, call_names[i], size) == 0 && line[size] == ' ')
                        counts[i]++;
        }
}

/* Lines that other processes have added since.  All have the same size. */
static void record_catch_up(size_t line_size)
{
        char line[64];

        assert(line_size < sizeof(line));
        while (pread(record_fd, line, line_size, record_read) == (ssize_t)line_size) {
                record_count_line(line);
                record_read += (off_t)line_size;
        }
}

static off_t record_begin(Call call)
{
        char line[64];
        int size;

        if (flock(record_fd, LOCK_EX) < 0)
                fail("flock");
        size = snprintf(line, sizeof(line), "%-13s %8lu pid=%-8ld rv=%-*s\n", call_names[call], 0UL,
                        (long)getpid(), RV_WIDTH, "pending");
        record_catch_up((size_t)size);
        (void)snprintf(line, sizeof(line), "%-13s %8lu pid=%-8ld rv=%-*s\n", call_names[call],
                       counts[call] + 1, (long)getpid(), RV_WIDTH, "pending");
        if (pwrite(record_fd, line, (size_t)size, record_read) != size)
                fail("P11SHIM_RECORD cannot be written");
        record_catch_up((size_t)size);
        if (flock(record_fd, LOCK_UN) < 0)
                fail("flock");
        return record_read - RV_WIDTH - 1;
}

static void record_end(const Step *step, const char *text)
{
        char field[RV_WIDTH + 1];

        if (step->rv_place < 0)
                return;
        (void)snprintf(field, sizeof(field), "%-*s", RV_WIDTH, text);
        if (pwrite(record_fd, field, RV_WIDTH, step->rv_place) != RV_WIDTH)
                fail("P11SHIM_RECORD cannot be written");
}

static CK_RV step_end(const Step *step, CK_RV rv)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "0x%08lx", rv);
        record_end(step, text);
        return rv;
}

/* ---- what was signed ---- */

#define SIGNED_DATA_MAX 1024

static void signed_open(void)
{
        const char *record = getenv("P11SHIM_RECORD");
        char path[4096];

        if (!record || signed_fd >= 0)
                return;
        if (snprintf(path, sizeof(path), "%s.signed", record) >= (int)sizeof(path))
                fail("P11SHIM_RECORD is too long");
        signed_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (signed_fd < 0)
                fail("P11SHIM_RECORD.signed cannot be opened");
}

/* One write each, so that lines of several processes do not mix. */
static void signed_write(const char *what, unsigned long value, const CK_BYTE *data, CK_ULONG data_size)
{
        char line[2 * SIGNED_DATA_MAX + 128];
        CK_ULONG n = data_size < SIGNED_DATA_MAX ? data_size : SIGNED_DATA_MAX;
        int size;

        if (signed_fd < 0)
                return;
        size = snprintf(line, sizeof(line), "%s %ld %lu %lx ", what, (long)getpid(), n_signed, value);
        for (CK_ULONG i = 0; i < n; i++)
                size += snprintf(line + size, sizeof(line) - (size_t)size, "%02x", data[i]);
        line[size++] = '\n';
        if (write(signed_fd, line, (size_t)size) != size)
                fail("P11SHIM_RECORD.signed cannot be written");
}

/* ---- what is to happen ---- */

/* The action for the Nth call in P11SHIM; NULL for none.  The result is not NUL-terminated: it ends at a
 * comma too. */
static const char *find_action(Call call, unsigned long n)
{
        const char *p = getenv("P11SHIM");
        size_t size = strlen(call_names[call]);

        while (p && *p) {
                if (strncmp(p, call_names[call], size) == 0 && p[size] == ':') {
                        char *end = NULL;
                        int every = p[size + 1] == '*';
                        unsigned long at = every ? n : strtoul(p + size + 1, &end, 10);

                        if (every)
                                return p + size + 3;
                        if (at == n && *end == '=')
                                return end + 1;
                }
                p = strchr(p, ',');
                p = p ? p + 1 : NULL;
        }
        return NULL;
}

static int action_is(const char *action, const char *name)
{
        size_t size = strlen(name);

        return strncmp(action, name, size) == 0 && (action[size] == ',' || action[size] == '\0');
}

static Step step_begin(Call call)
{
        Step step = {.action = ACTION_FORWARD, .rv_place = -1};
        const char *action;

        if (record_fd >= 0)
                step.rv_place = record_begin(call);
        else
                counts[call]++;
        action = find_action(call, counts[call]);
        if (!action)
                return step;
        if (action_is(action, "hang")) {
                record_end(&step, "hang");
                for (;;)
                        (void)pause();
        }
        if (action_is(action, "crash")) {
                record_end(&step, "crash");
                (void)signal(SIGSEGV, SIG_DFL);
                (void)raise(SIGSEGV);
        }
        if (action_is(action, "corrupt")) {
                step.action = ACTION_CORRUPT;
        } else if (action_is(action, "short")) {
                step.action = ACTION_SHORT;
        } else {
                step.action = ACTION_RETURN;
                step.rv = strtoul(action, NULL, 16);
        }
        return step;
}

/* ---- the functions ---- */

static CK_RV shim_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin, CK_ULONG size)
{
        Step step = step_begin(CALL_LOGIN);

        return step_end(&step,
                        step.action == ACTION_RETURN ? step.rv : module->C_Login(session, user, pin, size));
}

static CK_RV shim_open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                               CK_SESSION_HANDLE_PTR session)
{
        Step step = step_begin(CALL_OPEN_SESSION);

        return step_end(&step, step.action == ACTION_RETURN
                                       ? step.rv
                                       : module->C_OpenSession(slot, flags, application, notify, session));
}

static CK_RV shim_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
        Step step = step_begin(CALL_SIGN_INIT);

        mechanism_now = mechanism->mechanism;
        return step_end(&step, step.action == ACTION_RETURN ? step.rv
                                                            : module->C_SignInit(session, mechanism, key));
}

static CK_RV shim_sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_size,
                       CK_BYTE_PTR signature, CK_ULONG_PTR size)
{
        Step step;
        CK_RV rv;

        n_signed++;
        signed_write("asked", mechanism_now, data, data_size);
        step = step_begin(CALL_SIGN);
        if (step.action == ACTION_RETURN) {
                CK_BYTE unused[2048];
                CK_ULONG unused_size = sizeof(unused);

                /* As in a module that fails by itself, the operation is over. */
                (void)module->C_Sign(session, data, data_size, unused, &unused_size);
                signed_write("done", step.rv, NULL, 0);
                return step_end(&step, step.rv);
        }
        rv = module->C_Sign(session, data, data_size, signature, size);
        if (rv == CKR_OK && step.action == ACTION_CORRUPT)
                signature[*size / 2] ^= 1;
        if (rv == CKR_OK && step.action == ACTION_SHORT)
                *size -= 1;
        signed_write("done", rv, signature, rv == CKR_OK ? *size : 0);
        return step_end(&step, rv);
}

static CK_RV shim_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
        const char *flags = getenv("P11SHIM_TOKEN_FLAGS");
        CK_RV rv = module->C_GetTokenInfo(slot, info);

        if (rv == CKR_OK && flags)
                info->flags |= strtoul(flags, NULL, 16);
        return rv;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ret)
{
        const char *path = getenv("P11SHIM_MODULE");
        void *handle = path ? dlopen(path, RTLD_NOW) : NULL;
        CK_C_GetFunctionList get = handle ? (CK_C_GetFunctionList)dlsym(handle, "C_GetFunctionList") : NULL;

        if (!get || get(&module) != CKR_OK)
                fail("P11SHIM_MODULE does not load");
        record_open();
        signed_open();
        list = *module;
        list.C_Login = shim_login;
        list.C_OpenSession = shim_open_session;
        list.C_SignInit = shim_sign_init;
        list.C_Sign = shim_sign;
        list.C_GetTokenInfo = shim_get_token_info;
        *ret = &list;
        return CKR_OK;
}
