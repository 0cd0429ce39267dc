/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "server/interfaces.h"
#include "server/methods.h"

#define ROLE_BIT(_r) (1u << (_r))
#define ROLES_ALL    (ROLE_BIT(ROLE_SIGN) | ROLE_BIT(ROLE_OFFICER) | ROLE_BIT(ROLE_AUDIT))

static int method_get_info(Server *s, Peer *peer, const PeerCall *call);
static int method_get_interface(Server *s, Peer *peer, const PeerCall *call);

/* A socket offers only its role's interfaces; on another an interface does not exist. */
typedef struct Interface {
        const char *name;
        unsigned roles;
        const char *description;
} Interface;

static const Interface interfaces[] = {
        {"org.varlink.service", ROLES_ALL, interface_org_varlink_service},
        {"org.hsmd.Sign", ROLE_BIT(ROLE_SIGN), interface_org_hsmd_Sign},
        {"org.hsmd.Policy", ROLE_BIT(ROLE_OFFICER), interface_org_hsmd_Policy},
        {"org.hsmd.Journal", ROLE_BIT(ROLE_OFFICER) | ROLE_BIT(ROLE_AUDIT), interface_org_hsmd_Journal},
        {"org.hsmd.Status", ROLES_ALL, interface_org_hsmd_Status},
};

static const struct Method {
        const char *interface, *name;
        MethodCall call;
} methods[] = {
        {"org.varlink.service", "GetInfo", method_get_info},
        {"org.varlink.service", "GetInterfaceDescription", method_get_interface},
        {"org.hsmd.Sign", "Sign", method_sign},
        {"org.hsmd.Sign", "Check", method_check},
        {"org.hsmd.Sign", "Attest", method_attest},
        {"org.hsmd.Policy", "Show", method_policy_show},
        {"org.hsmd.Journal", "List", method_journal_list},
        {"org.hsmd.Journal", "Show", method_journal_show},
        {"org.hsmd.Journal", "Checkpoint", method_journal_checkpoint},
        {"org.hsmd.Journal", "Evidence", method_journal_evidence},
        {"org.hsmd.Status", "Get", method_status},
};

/* ---- helpers ---- */

/* An error with one string member. */
static int method_error(Peer *peer, const char *error, const char *member, const char *value, size_t size)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_name(&w, member);
        jsonw_string_n(&w, value, size);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_error(peer, error, buffer_blob(&out)));
}

int method_invalid(Peer *peer, const char *parameter)
{
        return error_fold(method_error(peer, "org.varlink.service.InvalidParameter", "parameter", parameter,
                                       strlen(parameter)));
}

int method_get_string(const PeerCall *call, const char *name, const char **ret)
{
        SJson *value;
        int r = call->parameters ? sjson_get(call->parameters, name, &value) : SJSON_E_MISSING;

        if (r != 0)
                return r;
        if (sjson_is_null(value))
                return SJSON_E_MISSING;
        if (!sjson_is_string(value))
                return SJSON_E_TYPE;
        *ret = sjson_string(value, NULL);
        return 0;
}

int method_get_u64(const PeerCall *call, const char *name, uint64_t *ret)
{
        SJson *value;
        int r = call->parameters ? sjson_get(call->parameters, name, &value) : SJSON_E_MISSING;

        if (r != 0)
                return r;
        return sjson_is_null(value) ? SJSON_E_MISSING : sjson_get_u64(call->parameters, name, ret);
}

/* ---- org.varlink.service ---- */

static int method_get_info(Server *s _unused_, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        JsonWriter w;
        int r;

        if (call->parameters && sjson_size(call->parameters) > 0)
                return error_fold(method_invalid(peer, "parameters"));
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_string(&w, "vendor", "hsmd");
        jsonw_member_string(&w, "product", "hsmd");
        jsonw_member_string(&w, "version", HSMD_VERSION);
        jsonw_member_string(&w, "url", "");
        jsonw_name(&w, "interfaces");
        jsonw_array(&w);
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
                if (interfaces[i].roles & ROLE_BIT(peer_role(peer)))
                        jsonw_string(&w, interfaces[i].name);
        jsonw_array_end(&w);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

static const Interface *interface_find(ConfigRole role, const char *name, size_t size)
{
        for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
                if (interfaces[i].roles & ROLE_BIT(role) && strlen(interfaces[i].name) == size &&
                    memcmp(interfaces[i].name, name, size) == 0)
                        return &interfaces[i];
        return NULL;
}

static int method_get_interface(Server *s _unused_, Peer *peer, const PeerCall *call)
{
        _cleanup_(buffer_deinit) Buffer out = BUFFER_NULL;
        const Interface *interface;
        const char *name;
        JsonWriter w;
        int r;

        if (method_get_string(call, "interface", &name) != 0)
                return error_fold(method_invalid(peer, "interface"));
        interface = interface_find(peer_role(peer), name, strlen(name));
        if (!interface)
                return error_fold(method_error(peer, "org.varlink.service.InterfaceNotFound", "interface",
                                               name, strlen(name)));
        jsonw_init(&w, &out);
        jsonw_object(&w);
        jsonw_member_string(&w, "description", interface->description);
        jsonw_object_end(&w);
        r = jsonw_finish(&w);
        return r != 0 ? error_fold(r) : error_fold(peer_reply(peer, buffer_blob(&out), false));
}

/* ---- dispatch ---- */

int methods_call(void *userdata, Peer *peer, const PeerCall *call)
{
        const char *dot = strrchr(call->method, '.');
        const Interface *interface;

        if (!dot)
                return error_fold(method_invalid(peer, "method"));
        interface = interface_find(peer_role(peer), call->method, (size_t)(dot - call->method));
        if (!interface)
                return error_fold(method_error(peer, "org.varlink.service.InterfaceNotFound", "interface",
                                               call->method, (size_t)(dot - call->method)));
        for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
                if (strcmp(methods[i].interface, interface->name) == 0 &&
                    strcmp(methods[i].name, dot + 1) == 0)
                        return methods[i].call(userdata, peer, call);
        return error_fold(method_error(peer, "org.varlink.service.MethodNotFound", "method", call->method,
                                       strlen(call->method)));
}

void methods_gone(void *userdata, Peer *peer _unused_, void *context)
{
        Server *s = userdata;

        engine_request_gone(s->engine, context);
}
