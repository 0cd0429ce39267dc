/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"
#include "base/hex.h"
#include "policy/policy-word.h"

void policy_statement_version(PolicyReader *r)
{
        (void)policy_word_is(r, 1, "1");
}

void policy_statement_serial(PolicyReader *r)
{
        (void)policy_word_decimal(r, 1, 1, POLICY_SERIAL_MAX, &r->policy->serial);
}

void policy_statement_previous(PolicyReader *r)
{
        static const char prefix[] = "sha256:";
        const Word *word = &r->line.words[1];
        size_t skip = sizeof(prefix) - 1;

        if (word_is(word, "none"))
                return;
        /* Set even if it is malformed: then it does not contradict the serial as well. */
        r->policy->has_previous = true;
        if (word->size < skip || memcmp(word->text, prefix, skip) != 0 ||
            hex_decode(r->policy->previous, SHA256_SIZE, word->text + skip, word->size - skip))
                policy_reader_fault(r, 1, "neither none nor sha256: and 64 lower-case hex digits");
}

void policy_statement_effective(PolicyReader *r)
{
        (void)policy_word_time(r, 1, &r->policy->effective_usec);
}

void policy_statement_expires(PolicyReader *r)
{
        (void)policy_word_time(r, 1, &r->policy->expires_usec);
}

void policy_statement_allow(PolicyReader *r)
{
        (void)policy_word_is(r, 1, "single-org");
}

void policy_statement_log(PolicyReader *r)
{
        Policy *p = r->policy;
        const Word *origin = &r->line.words[1];
        SignatureScheme scheme;

        if (origin->size > LIMIT_ORIGIN_SIZE || memchr(origin->text, '+', origin->size))
                policy_reader_fault(r, 1, "an origin has at most %d bytes and no '+'", LIMIT_ORIGIN_SIZE);
        else
                (void)policy_word_copy(r, 1, &p->origin);

        (void)policy_word_is(r, 2, "key");
        if (policy_word_public_key(r, 3, &p->log_key, &scheme) && scheme != SCHEME_ED25519)
                policy_reader_fault(r, 3, "the log's key has to be an Ed25519 key");
        (void)policy_word_is(r, 4, "uri");
        (void)policy_word_private_key(r, 5, &p->log_uri);
}

void policy_statement_site(PolicyReader *r)
{
        PolicySite *site = policy_reader_define(r, KIND_SITE);
        const Word *country = &r->line.words[3];

        if (!site)
                return;
        (void)policy_word_is(r, 2, "country");
        if (country->size != 2 || country->text[0] < 'A' || country->text[0] > 'Z' ||
            country->text[1] < 'A' || country->text[1] > 'Z')
                policy_reader_fault(r, 3, "a country is two upper-case letters (ISO 3166-1)");
        else
                memcpy(site->country, country->text, 2);
}

void policy_statement_org(PolicyReader *r)
{
        PolicyOrg *org = policy_reader_define(r, KIND_ORG);

        if (!org)
                return;
        (void)policy_word_is(r, 2, "class");
        (void)policy_word_class(r, 3, &org->class);
}

void policy_statement_rebuilder(PolicyReader *r)
{
        PolicyRebuilder *rebuilder = policy_reader_define(r, KIND_REBUILDER);

        if (!rebuilder)
                return;
        rebuilder->org = SIZE_MAX;
        (void)policy_word_is(r, 2, "org");
        (void)policy_word_reference(r, 3, KIND_ORG, &rebuilder->org);
        (void)policy_word_is(r, 4, "key");
        (void)policy_word_public_key(r, 5, &rebuilder->key, &rebuilder->scheme);
        (void)policy_word_is(r, 6, "builder-id");
        (void)policy_word_uri(r, 7, &rebuilder->builder_id);
}

static size_t find_word(const PolicyReader *r, size_t first, const char *text)
{
        for (size_t i = first; i < r->line.n_words; i++)
                if (word_is(&r->line.words[i], text))
                        return i;
        return r->line.n_words;
}

static void read_format(PolicyReader *r, size_t i, bool have_type, PolicyKey *key)
{
        const Word *word = &r->line.words[i];
        SignatureFormat f = signature_format_from_string(word->text, word->size);

        if (f == _FORMAT_INVALID)
                policy_reader_fault(r, i, "no such format");
        else if (key->formats & (1U << f))
                policy_reader_fault(r, i, "this format stands in the list already");
        else if (have_type && !signature_format_fits(f, key->type))
                policy_reader_fault(r, i, "a key of algorithm %s does not make this format",
                                    key_type_to_string(key->type));
        else
                key->formats |= 1U << f;
}

void policy_statement_key(PolicyReader *r)
{
        PolicyKey *key = policy_reader_define(r, KIND_KEY);
        size_t sites = find_word(r, 10, "sites");
        bool have_type;

        if (!key)
                return;
        (void)policy_word_is(r, 2, "algorithm");
        have_type = policy_word_key_type(r, 3, &key->type);
        (void)policy_word_is(r, 4, "spki");
        if (have_type)
                (void)policy_word_spki(r, 5, key->type, &key->public_key);
        (void)policy_word_is(r, 6, "uri");
        (void)policy_word_private_key(r, 7, &key->uri);
        (void)policy_word_is(r, 8, "formats");
        for (size_t i = 9; i < sites; i++)
                read_format(r, i, have_type, key);

        if (sites == r->line.n_words)
                return; /* no `sites`: at every site */
        if (sites + 1 == r->line.n_words)
                policy_reader_fault(r, sites + 1, "the name of a site has to stand here");
        else
                (void)policy_word_references(r, sites + 1, r->line.n_words, KIND_SITE, &key->sites,
                                             &key->n_sites);
}

void policy_statement_requester(PolicyReader *r)
{
        PolicyRequester *requester = policy_reader_define(r, KIND_REQUESTER);
        const Policy *p = r->policy;
        uint64_t id;

        if (!requester)
                return;
        requester->is_group = word_is(&r->line.words[2], "gid");
        if (!requester->is_group && !word_is(&r->line.words[2], "uid"))
                policy_reader_fault(r, 2, "'uid' or 'gid' has to stand here");
        requester->id = UINT32_MAX; /* nobody: the kernel's "no id" */
        if (!policy_word_decimal(r, 3, 0, UINT32_MAX - 1, &id))
                return;
        for (size_t i = 0; i + 1 < p->n_requesters; i++)
                if (p->requesters[i].is_group == requester->is_group && p->requesters[i].id == id)
                        policy_reader_fault(r, 3, "another requester is this %s already",
                                            requester->is_group ? "group" : "user");
        requester->id = (uint32_t)id;
}
