/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "base/jsonw.h"
#include "base/sjson.h"

#include "client/libhsmctl.h"
#include "client/varlink.h"

struct Hsmctl {
        Varlink *connection; /* NULL once it is of no use */
        char *path;
        uint64_t timeout_usec;
        bool pending; /* a reply is due */
        SJson *reply;
        SJson *parameters; /* part of `reply`, or `empty` */
        SJson *empty;
        Buffer text;
        char reason[80];
        char message[512];
};

static const struct {
        const char *variable;
        const char *path;
} sockets[_HSMCTL_SOCKET_MAX] = {
        [HSMCTL_SOCKET_SIGN] = {"HSMCTL_SIGN_SOCKET", "/run/hsmd/sign.sock"},
        [HSMCTL_SOCKET_OFFICER] = {"HSMCTL_OFFICER_SOCKET", "/run/hsmd/officer.sock"},
        [HSMCTL_SOCKET_AUDIT] = {"HSMCTL_AUDIT_SOCKET", "/run/hsmd/audit.sock"},
};

/* Varlink's own errors and those of our interfaces. */
static const struct {
        const char *name;
        int code;
        const char *reason;
        const char *message;
} errors[] = {
        {"org.hsmd.Sign.Refused", HSMCTL_E_REFUSED, "refused", "refused"},
        {"org.hsmd.Sign.Busy", HSMCTL_E_BUSY, "busy", "busy"},
        {"org.hsmd.Journal.NoSuchEntry", HSMCTL_E_NOT_FOUND, "no-such-entry", "no such entry"},
        {"org.hsmd.Journal.NoSuchEvidence", HSMCTL_E_NOT_FOUND, "no-such-evidence", "no such evidence"},
        {"org.varlink.service.PermissionDenied", HSMCTL_E_DENIED, "permission-denied", "permission denied"},
        {"org.varlink.service.InterfaceNotFound", HSMCTL_E_PROTOCOL, "interface-not-found",
         "this socket does not offer that interface"},
        {"org.varlink.service.MethodNotFound", HSMCTL_E_PROTOCOL, "method-not-found",
         "the daemon does not know that method: is it older than this program?"},
        {"org.varlink.service.MethodNotImplemented", HSMCTL_E_PROTOCOL, "method-not-implemented",
         "the daemon does not offer that method"},
        {"org.varlink.service.InvalidParameter", HSMCTL_E_PROTOCOL, "invalid-parameter",
         "the daemon does not accept a parameter of the call"},
};

const char *hsmctl_socket_path(HsmctlSocket s)
{
        const char *path;

        assert(s < _HSMCTL_SOCKET_MAX);

        path = secure_getenv(sockets[s].variable);
        return path && *path ? path : sockets[s].path;
}

_printf_(4, 5) static int hsmctl_fail(Hsmctl *h, int code, const char *reason, const char *format, ...)
{
        va_list args;

        (void)snprintf(h->reason, sizeof(h->reason), "%s", reason);
        va_start(args, format);
        (void)vsnprintf(h->message, sizeof(h->message), format, args);
        va_end(args);

        if (code == HSMCTL_E_UNREACHABLE || code == HSMCTL_E_TIMEOUT || code == HSMCTL_E_PROTOCOL)
                h->connection = varlink_free(h->connection);
        h->pending = false;
        return code;
}

static int hsmctl_fail_varlink(Hsmctl *h, int r)
{
        switch (r) {
        case VARLINK_E_MISSING:
                return hsmctl_fail(h, HSMCTL_E_UNREACHABLE, "unreachable",
                                   "nobody listens on %s: is hsmd running?", h->path);
        case VARLINK_E_DENIED:
                return hsmctl_fail(h, HSMCTL_E_DENIED, "permission-denied",
                                   "no permission to use %s: is this user in the group of the socket?",
                                   h->path);
        case VARLINK_E_PATH:
                return hsmctl_fail(h, HSMCTL_E_UNREACHABLE, "unreachable", "not a path for a socket: \"%s\"",
                                   h->path);
        case VARLINK_E_TIMEOUT:
                return hsmctl_fail(h, HSMCTL_E_TIMEOUT, "timeout", "no answer within %llu seconds on %s",
                                   (unsigned long long)(h->timeout_usec / 1000000), h->path);
        case VARLINK_E_CLOSED:
                return hsmctl_fail(h, HSMCTL_E_UNREACHABLE, "connection-closed",
                                   "the daemon ended the connection on %s", h->path);
        case VARLINK_E_TOO_LARGE:
                return hsmctl_fail(h, HSMCTL_E_PROTOCOL, "reply-too-large", "a reply on %s is too large",
                                   h->path);
        default:
                return error_fold(r);
        }
}

static uint64_t hsmctl_deadline(const Hsmctl *h)
{
        uint64_t now = varlink_now_usec();

        return h->timeout_usec > UINT64_MAX - now ? UINT64_MAX : now + h->timeout_usec;
}

int hsmctl_new(Hsmctl **ret, const char *path, uint64_t timeout_usec)
{
        Hsmctl *h;
        int r;

        assert(ret);
        assert(path);

        *ret = NULL;
        r = memory_new0(&h, 1);
        if (r)
                return error_fold(r);
        h->timeout_usec = timeout_usec;
        r = string_copy(&h->path, path);
        if (r == 0)
                r = sjson_parse(&h->empty, "{}", 2, NULL);
        if (r) {
                (void)hsmctl_free(h); /* returns NULL always */
                return error_fold(r);
        }

        /* Also for the object that failed: it carries the message. */
        *ret = h;
        r = varlink_new(&h->connection, path, hsmctl_deadline(h));
        return r ? hsmctl_fail_varlink(h, r) : 0;
}

Hsmctl *hsmctl_free(Hsmctl *h)
{
        if (!h)
                return NULL;
        h->connection = varlink_free(h->connection);
        h->reply = sjson_free(h->reply);
        h->empty = sjson_free(h->empty);
        buffer_deinit(&h->text);
        free(h->path);
        free(h);
        return NULL;
}

static int hsmctl_write_call(Buffer *out, const char *method, const char *parameters, bool more)
{
        JsonWriter w;

        jsonw_init(&w, out);
        jsonw_object(&w);
        jsonw_member_string(&w, "method", method);
        jsonw_name(&w, "parameters");
        jsonw_raw(&w, parameters, strlen(parameters));
        if (more)
                jsonw_member_bool(&w, "more", true);
        jsonw_object_end(&w);
        return jsonw_finish(&w);
}

int hsmctl_call(Hsmctl *h, const char *method, const char *parameters, const int *fds, size_t n_fds,
                bool more)
{
        _cleanup_(buffer_deinit) Buffer call = BUFFER_NULL;
        int r;

        assert(h);
        assert(method);
        assert(parameters);
        assert(!h->pending);

        if (!h->connection)
                return hsmctl_fail(h, HSMCTL_E_UNREACHABLE, "unreachable", "there is no connection to %s",
                                   h->path);
        r = hsmctl_write_call(&call, method, parameters, more);
        if (r)
                return error_fold(r);
        r = varlink_send(h->connection, buffer_blob(&call), fds, n_fds, hsmctl_deadline(h));
        if (r == VARLINK_E_TOO_LARGE)
                return hsmctl_fail(h, HSMCTL_E_TOO_LARGE, "call-too-large", "the call is larger than 1 MiB");
        if (r)
                return hsmctl_fail_varlink(h, r);
        h->pending = true;
        return 0;
}

static int hsmctl_fail_error(Hsmctl *h, const char *name)
{
        const char *reason = NULL, *message = NULL;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(errors); i++)
                if (strcmp(errors[i].name, name) == 0)
                        break;
        if (i == ARRAY_SIZE(errors))
                return hsmctl_fail(h, HSMCTL_E_PROTOCOL, "unknown-error",
                                   "the daemon answered with the error %s", name);

        /* Only ours carry these two. */
        if (sjson_get_string(h->parameters, "reason", &reason, NULL) != 0)
                reason = errors[i].reason;
        if (sjson_get_string(h->parameters, "message", &message, NULL) != 0)
                message = errors[i].message;
        return hsmctl_fail(h, errors[i].code, reason, "%s", message);
}

/* The members that every reply may have; h->parameters is set. */
static int hsmctl_decode(Hsmctl *h, const char **ret_error, bool *ret_continues)
{
        const char *error = NULL;
        bool continues = false;
        int r;

        r = sjson_get_object(h->reply, "parameters", &h->parameters);
        if (r == SJSON_E_MISSING)
                h->parameters = h->empty;
        else if (r)
                return r;
        r = sjson_get_string(h->reply, "error", &error, NULL);
        if (r && r != SJSON_E_MISSING)
                return r;
        r = sjson_get_bool(h->reply, "continues", &continues);
        if (r && r != SJSON_E_MISSING)
                return r;

        *ret_error = error;
        *ret_continues = continues;
        return 0;
}

int hsmctl_receive(Hsmctl *h, bool *ret_continues)
{
        const char *error;
        SJsonError fault;
        Blob message;
        bool continues;
        int r;

        assert(h);
        assert(ret_continues);
        assert(h->pending);

        h->parameters = NULL;
        h->reply = sjson_free(h->reply);
        r = varlink_receive(h->connection, &message, hsmctl_deadline(h));
        if (r)
                return hsmctl_fail_varlink(h, r);
        r = sjson_parse_reals(&h->reply, message.data, message.size, &fault);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return hsmctl_fail(h, HSMCTL_E_PROTOCOL, "reply-syntax", "a reply is not JSON: %s",
                                   fault.text);
        r = hsmctl_decode(h, &error, &continues);
        if (r < 0)
                return error_fold(r);
        if (r > 0)
                return hsmctl_fail(h, HSMCTL_E_PROTOCOL, "reply-syntax", "a reply is not a Varlink message");
        if (error)
                return hsmctl_fail_error(h, error);

        h->pending = continues;
        *ret_continues = continues;
        return 0;
}

const struct SJson *hsmctl_parameters(const Hsmctl *h)
{
        assert(h);

        return h->parameters;
}

int hsmctl_text(Hsmctl *h, const char **ret, size_t *ret_size)
{
        int r;

        assert(h);
        assert(ret);

        if (!h->parameters)
                return error_origin(-EINVAL);
        buffer_clear(&h->text);
        r = sjson_dump(h->parameters, &h->text);
        if (r)
                return error_fold(r);

        *ret = (const char *)h->text.data;
        if (ret_size)
                *ret_size = h->text.size;
        return 0;
}

const char *hsmctl_reason(const Hsmctl *h)
{
        assert(h);

        return h->reason;
}

const char *hsmctl_message(const Hsmctl *h)
{
        assert(h);

        return h->message;
}
