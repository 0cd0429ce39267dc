/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every check that is made when a policy is loaded: a small change to the good policy, and where the fault
 * that it makes has to be seen.
 */
#include "test-policy-fixture.h"

#define ACCEPTED 0, 0, NULL, 0
#define WHOLE    0, 0

typedef struct Case {
        const char *name;
        const char *find; /* replaced where it stands first; NULL: `replace` is appended */
        const char *replace;
        unsigned line, column; /* of the only fault */
        const char *text;      /* that it has in it; NULL: the document is good */
        unsigned others;       /* faults that follow from it */
} Case;

#define ED25519 "ed25519:29be97b47254195f70b616bf6277c9737fe3539d5e3e49ec30e67a62e2024e14"
#define HEX64   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Lines of policy.conf: 1 hsmd-policy, 2 serial, 3 previous, 4 effective, 5 expires, 6 log, 7-8 sites, 9-12
 * orgs, 13-17 rebuilders, 18-21 keys, 22-23 requesters, 24-31 release product, 32-39 release updates. */
static const Case cases[] = {
        /* the grammar */
        {"comments_and_blank_lines", "serial 1\n", "\n# a comment\n\t serial\t1 # one\n\n", ACCEPTED},
        {"unknown_word", "serial 1", "serail 1", 2, 1, "no statement begins", 1},
        {"statement_in_upper_case", "site riga", "SITE riga", 8, 1, "no statement begins", 0},
        {"byte_outside_ascii", "serial 1", "serial 1\xc3", 2, 9, "ASCII", 1},
        {"carriage_return", "country DE", "country DE\r", 7, 23, "carriage return", 1},
        {"no_line_feed_at_the_end", NULL, "# end", 40, 6, "line feed", 0},
        {"too_few_words", "site riga country LV", "site riga country", 8, 18, "too few words: site NAME", 0},
        {"too_many_words", "site riga country LV", "site riga country LV now", 8, 22, "too many words", 0},
        {"wrong_fixed_word", "site riga country", "site riga county", 8, 11, "'country' has to stand here",
         0},
        {"first_statement_is_another", "hsmd-policy 1\nserial 1\n", "serial 1\nhsmd-policy 1\n", 1, 1,
         "the first statement", 0},
        {"other_version", "hsmd-policy 1", "hsmd-policy 2", 1, 13, "only version 1", 0},
        {"version_twice", "serial 1\n", "serial 1\nhsmd-policy 1\n", 3, 1, "stands in line 1 already", 0},

        /* the head */
        {"serial_greater_and_previous", "serial 1\nprevious none", "serial 7\nprevious sha256:" HEX64,
         ACCEPTED},
        {"serial_zero", "serial 1", "serial 0", 2, 8, "not a number", 0},
        {"serial_negative", "serial 1", "serial -1", 2, 8, "not a number", 0},
        {"serial_leading_zero", "serial 1", "serial 01", 2, 8, "not a number", 0},
        {"serial_huge", "serial 1", "serial 9223372036854775808", 2, 8, "not a number", 0},
        {"serial_twice", "previous none\n", "serial 2\nprevious none\n", 3, 1, "stands in line 2 already",
         0},
        {"serial_missing", "serial 1\n", "", WHOLE, "there is no 'serial'", 0},
        {"previous_of_the_first", "previous none", "previous sha256:" HEX64, 3, 1,
         "serial 1 is the first policy", 0},
        {"previous_none_of_a_later", "serial 1", "serial 2", 3, 1, "only serial 1", 0},
        {"previous_upper_case", "serial 1\nprevious none", "serial 2\nprevious sha256:AA" HEX64, 3, 10,
         "neither none nor", 0},
        {"previous_without_algorithm", "serial 1\nprevious none", "serial 2\nprevious " HEX64, 3, 10,
         "neither none nor", 0},
        {"previous_missing", "previous none\n", "", WHOLE, "there is no 'previous'", 0},
        {"previous_twice", "previous none\n", "previous none\nprevious none\n", 4, 1,
         "stands in line 3 already", 0},
        {"effective_no_time", "effective 2026-01-01T00:00:00Z", "effective 2026-02-30T00:00:00Z", 4, 11,
         "not a time", 0},
        {"effective_other_zone", "effective 2026-01-01T00:00:00Z", "effective 2026-01-01T00:00:00+01:00", 4,
         11, "not a time", 0},
        {"effective_missing", "effective 2026-01-01T00:00:00Z\n", "", WHOLE, "there is no 'effective'", 0},
        {"effective_twice", "expires", "effective 2026-01-01T00:00:00Z\nexpires", 5, 1,
         "stands in line 4 already", 0},
        {"expires_at_effective", "expires 2030-01-01T00:00:00Z", "expires 2026-01-01T00:00:00Z", 5, 1,
         "expires before", 0},
        {"expires_just_after_effective", "expires 2030-01-01T00:00:00Z",
         "expires 2026-01-01T00:00:00.000001Z", ACCEPTED},
        {"expires_no_time", "expires 2030-01-01T00:00:00Z", "expires never", 5, 9, "not a time", 0},
        {"expires_missing", "expires 2030-01-01T00:00:00Z\n", "", WHOLE, "there is no 'expires'", 0},
        {"expires_twice", "log log.", "expires 2030-01-01T00:00:00Z\nlog log.", 6, 1,
         "stands in line 5 already", 0},
        {"log_missing",
         "log log.example/hsmd key ed25519:4ddfe21c712d413b027f5ed1f6fc5734f5cebb2e25136ad78e618bbf59abe165 "
         "uri pkcs11:token=hsmd;object=log\n",
         "", WHOLE, "there is no 'log'", 0},
        {"log_origin_plus", "log.example/hsmd", "log.example+hsmd", 6, 5, "no '+'", 0},
        {"log_origin_of_255_bytes", "log.example/hsmd", "$255", ACCEPTED},
        {"log_origin_of_256_bytes", "log.example/hsmd", "$256", 6, 5, "at most 255", 0},
        {"log_key_of_p256", "ed25519:4ddfe21c712d413b027f5ed1f6fc5734f5cebb2e25136ad78e618bbf59abe165",
         "ecdsa-p256-der:$p256-other-point", 6, 26, "has to be an Ed25519 key", 0},
        {"log_key_small_order", "4ddfe21c712d413b027f5ed1f6fc5734f5cebb2e25136ad78e618bbf59abe165",
         "0100000000000000000000000000000000000000000000000000000000000000", 6, 26, "a weak key", 0},
        {"log_uri_with_pin", "pkcs11:token=hsmd;object=log", "pkcs11:object=log?pin-value=1234", 6, 103,
         "PIN and module", 0},
        {"log_uri_of_no_key", "pkcs11:token=hsmd;object=log", "pkcs11:token=hsmd", 6, 103,
         "has to name one key", 0},

        /* sites and organisations */
        {"site_twice", "site riga", "site berlin", 8, 6, "another site has this name", 0},
        {"site_country_lower_case", "country LV", "country lv", 8, 19, "two upper-case letters", 0},
        {"site_country_three_letters", "country LV", "country LVA", 8, 19, "two upper-case letters", 0},
        {"site_name_no_name", "site riga", "site r/iga", 8, 6, "a name is", 0},
        {"org_twice", "requester builder", "org farm class third-party\nrequester builder", 22, 5,
         "another org has this name", 0},
        {"org_without_rebuilder_nor_rule", "requester builder", "org idle class internal\nrequester builder",
         ACCEPTED},
        {"org_class_unknown", "org lab class internal", "org lab class partner", 10, 15, "no such class", 0},
        {"org_name_too_long", "requester builder uid",
         "org n123456789012345678901234567890123456789012345678901234567890123x class internal\nrequester "
         "builder uid",
         22, 5, "a name is 1 to 64", 0},
        {"org_name_of_64_bytes", "requester builder uid",
         "org n123456789012345678901234567890123456789012345678901234567890123 class internal\nrequester "
         "builder uid",
         ACCEPTED},
        {"same_name_of_two_kinds", "requester builder uid",
         "org product class internal\nrequester builder uid", ACCEPTED},

        /* rebuilders and their keys */
        {"rebuilder_twice", "rebuilder farm-2", "rebuilder farm-1", 14, 11,
         "another rebuilder has this name", 0},
        {"rebuilder_of_unknown_org", "org academy key", "org acadamy key", 17, 25, "no org with this name",
         2},
        {"rebuilder_before_its_org", "org farm class internal\n",
         "rebuilder early org farm key ed25519:$ed-other builder-id a:b\norg farm class internal\n", 9, 21,
         "defined further up", 0},
        {"rebuilder_key_compressed", "key ecdsa-p256-der:$lab", "key ecdsa-p256-der:$p256-compressed",
         ACCEPTED},
        {"rebuilder_key_twice", "requester builder",
         "rebuilder other org farm key " ED25519 " builder-id a:b\nrequester builder", 22, 30,
         "stands in line 17 already", 0},
        {"rebuilder_key_twice_in_two_encodings", "requester builder",
         "rebuilder other org farm key ecdsa-p256-p1363:$p256-compressed builder-id a:b\nrequester builder",
         22, 30, "stands in line 15 already", 0},
        {"rebuilder_key_is_the_log_key", "requester builder",
         "rebuilder other org farm key "
         "ed25519:4ddfe21c712d413b027f5ed1f6fc5734f5cebb2e25136ad78e618bbf59abe165 "
         "builder-id a:b\nrequester builder",
         22, 30, "stands in line 6 already", 0},
        {"rebuilder_key_of_unknown_form", "key " ED25519, "key rsa:00", 17, 37, "a key is ed25519:HEX", 0},
        {"rebuilder_key_upper_case", "key ed25519:29be", "key ed25519:29BE", 17, 37, "lower-case hex", 0},
        {"rebuilder_key_63_digits", "key ed25519:29be", "key ed25519:9be", 17, 37, "wrong length", 0},
        {"rebuilder_key_off_the_curve", "key ecdsa-p256-der:$lab", "key ecdsa-p256-der:$lab-off-curve", 15,
         29, "weak key", 0},
        {"rebuilder_key_non_canonical", "key " ED25519,
         "key ed25519:edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", 17, 37, "weak key",
         0},
        {"rebuilder_key_small_order", "key " ED25519,
         "key ed25519:26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", 17, 37, "weak key",
         0},
        {"rebuilder_builder_id_no_uri", "https://academy.example/rebuild", "academy", 17, 121, "not a URI",
         0},

        /* signing keys */
        {"key_twice", "key update", "key product", 20, 5, "another key has this name", 1},
        {"key_algorithm_unknown", "key update algorithm ed25519", "key update algorithm ed448", 20, 22,
         "no such algorithm", 0},
        {"key_of_another_algorithm", "key update algorithm ed25519", "key update algorithm ecdsa-p256", 20,
         38, "of algorithm ed25519", 1},
        {"key_rsa_2048", "spki $firmware", "spki $rsa2048", 19, 33, "3072 bits or more", 0},
        {"key_rsa_3072", "spki $firmware", "spki $rsa3072-other", ACCEPTED},
        {"key_spki_no_base64", "spki $firmware", "spki MIIB*", 19, 33, "not base64", 0},
        {"key_spki_no_key", "spki $firmware", "spki AAAA", 19, 33, "not the encoding", 0},
        {"key_is_a_rebuilder_key", "requester builder",
         "key other algorithm ecdsa-p256 spki $p256-other uri pkcs11:object=other formats raw-ecdsa\n"
         "rebuilder other org farm key ecdsa-p256-der:$p256-other-point builder-id a:b\nrequester builder",
         23, 30, "stands in line 22 already", 0},
        {"key_twice_under_two_names", "requester builder",
         "key other algorithm ecdsa-p256 spki $product uri pkcs11:object=other formats raw-ecdsa\nrequester "
         "builder",
         22, 37, "stands in line 18 already", 0},
        {"key_uri_twice", "requester builder",
         "key other algorithm ecdsa-p256 spki $p256-other uri pkcs11:object=kernel formats "
         "raw-ecdsa\nrequester builder",
         22, 166, "this URI stands in line 21 already", 0},
        {"key_other", "requester builder",
         "key other algorithm ecdsa-p256 spki $p256-other uri pkcs11:object=other formats "
         "raw-ecdsa\nrequester builder",
         ACCEPTED},
        {"key_format_unknown", "formats raw-ed25519", "formats raw-ed448", 20, 133, "no such format", 0},
        {"key_format_of_another_algorithm", "formats raw-ed25519", "formats raw-ecdsa", 20, 133,
         "does not make this format", 0},
        {"key_format_twice", "formats raw-ed25519", "formats raw-ed25519 raw-ed25519", 20, 145,
         "in the list already", 0},
        {"key_site_unknown", "sites berlin", "sites bonn", 19, 690, "no site with this name", 0},
        {"key_site_twice", "sites berlin", "sites berlin berlin", 19, 697, "in the list already", 0},
        {"key_sites_without_one", "sites berlin", "sites", 19, 689, "the name of a site", 0},
        {"key_all_sites", " sites berlin", "", ACCEPTED},

        /* requesters */
        {"requester_twice", "requester farmers", "requester builder", 23, 11,
         "another requester has this name", 1},
        {"requester_uid_twice", "requester farmers gid 2000", "requester farmers uid 1000", 23, 23,
         "is this user already", 0},
        {"requester_gid_twice", "release product", "requester more gid 2000\nrelease product", 24, 20,
         "is this group already", 0},
        {"requester_gid_equal_to_a_uid", "gid 2000", "gid 1000", ACCEPTED},
        {"requester_kind_unknown", "farmers gid 2000", "farmers user 2000", 23, 19, "'uid' or 'gid'", 0},
        {"requester_id_negative", "gid 2000", "gid -1", 23, 23, "not a number", 0},
        {"requester_id_of_nobody", "gid 2000", "gid 4294967295", 23, 23, "not a number", 0},
        {"requester_id_greatest", "gid 2000", "gid 4294967294", ACCEPTED},

        /* releases */
        {"release_twice", "release updates", "release product", 32, 9, "another release has this name", 0},
        {"release_without_end", "end\nrelease updates", "release updates", 24, 1, "has no 'end'", 0},
        {"release_without_end_at_the_end", "    on-dissent record\nend\n", "    on-dissent record\n", 32, 1,
         "has no 'end'", 0},
        {"release_without_keys", "    keys product firmware\n", "", 24, 1, "has no 'keys'", 0},
        {"release_without_requesters", "    requesters builder\n", "", 24, 1, "has no 'requesters'", 0},
        {"release_without_source", "    source git https://git.example/product\n", "", 24, 1,
         "has no 'source'", 0},
        {"release_keys_twice", "    requesters builder\n", "    keys kernel\n    requesters builder\n", 26,
         5, "in line 25 already", 0},
        {"release_key_twice", "keys product firmware", "keys product product", 25, 18, "in the list already",
         0},
        {"release_key_unknown", "keys product firmware", "keys product hardware", 25, 18,
         "no key with this name", 0},
        {"release_requesters_twice", "    requesters builder\n",
         "    requesters builder\n    requesters builder\n", 27, 5, "in line 26 already", 0},
        {"release_requester_unknown", "requesters builder", "requesters nobody", 26, 16,
         "no requester with this name", 0},
        {"release_requester_twice", "requesters builder", "requesters builder builder", 26, 24,
         "in the list already", 0},
        {"release_source_twice", "    source git https://git.example/updates\n",
         "    source git https://git.example/product\n", 36, 16, "has this source already", 0},
        {"release_source_no_git", "source git https://git.example/product",
         "source svn https://git.example/product", 27, 12, "'git' has to stand here", 0},
        {"release_source_no_uri", "source git https://git.example/product", "source git product", 27, 16,
         "not a URI", 0},
        {"release_of_8_sources", "on-dissent deny",
         "source git a:1\nsource git a:2\nsource git a:3\nsource git a:4\nsource git a:5\nsource git "
         "a:6\nsource git a:7",
         ACCEPTED},
        {"release_of_9_sources", "on-dissent deny",
         "source git a:1\nsource git a:2\nsource git a:3\nsource git a:4\nsource git a:5\nsource git "
         "a:6\nsource git a:7\n"
         "source git a:8",
         37, 1, "at most 8 sources", 0},
        {"release_statement_outside", "release updates", "keys product\nrelease updates", 32, 1,
         "stands inside a release", 0},
        {"release_end_outside", "release updates", "end\nrelease updates", 32, 1, "stands inside a release",
         0},
        {"document_statement_inside", "    keys product firmware",
         "    allow single-org\n    keys product firmware", 25, 5, "stands outside releases", 0},
        {"release_dissent_unknown", "on-dissent deny", "on-dissent ignore", 30, 16, "'deny' or 'record'", 0},
        {"release_dissent_twice", "    on-dissent deny\n", "    on-dissent deny\n    on-dissent deny\n", 31,
         5, "in line 30 already", 0},
        {"release_dissent_left_out", "    on-dissent deny\n", "", ACCEPTED},

        /* quorums */
        {"threshold_of_all", "require orgs 2 of farm overseer academy",
         "require orgs 3 of farm overseer academy", ACCEPTED},
        {"threshold_greater_than_n", "require orgs 2 of farm overseer academy",
         "require orgs 4 of farm overseer academy", 28, 18, "more than the organisations", 0},
        {"threshold_zero", "require orgs 2 of farm overseer academy",
         "require orgs 0 of farm overseer academy", 28, 18, "not a number", 0},
        {"threshold_negative", "require orgs 2 of farm overseer academy",
         "require orgs -2 of farm overseer academy", 28, 18, "not a number", 0},
        {"threshold_leading_zero", "require orgs 2 of farm overseer academy",
         "require orgs 02 of farm overseer academy", 28, 18, "not a number", 0},
        {"threshold_huge", "require orgs 2 of farm overseer academy",
         "require orgs 4294967298 of farm overseer academy", 28, 18, "not a number", 0},
        {"threshold_absent", "require orgs 2 of farm overseer academy",
         "require orgs of farm overseer academy", 28, 18, "not a number", 1},
        {"rule_absent", "    require orgs 2 of farm overseer academy\n    require class third-party 1\n", "",
         24, 1, "has no 'require orgs'", 0},
        {"rule_of_unknown_kind", "require orgs 2 of farm overseer academy\n",
         "require orgs 2 of farm overseer academy\n require keys 2 of farm lab\n", 29, 10,
         "'orgs' or 'class'", 0},
        {"rule_names_an_org_twice", "2 of farm overseer academy", "2 of farm overseer farm", 28, 37,
         "in the list already", 0},
        {"rule_names_an_unknown_org", "2 of farm overseer academy", "2 of farm overseer ghost academy", 28,
         37, "no org with", 0},
        {"rule_names_an_org_without_rebuilder",
         "requester builder uid 1000\nrequester farmers gid 2000\nrelease product\n",
         "requester builder uid 1000\nrequester farmers gid 2000\norg idle class internal\nrelease product\n"
         "    require orgs 1 of farm idle\n",
         26, 28, "has no rebuilder", 0},
        {"rule_names_no_org", "    require class third-party 1\n",
         "    require class third-party 1\n    require orgs 1 of\n", 30, 22, "the name of an organisation",
         0},
        {"two_rules_on_orgs", "    require class third-party 1\n",
         "    require class third-party 1\n    require orgs 1 of lab academy\n", ACCEPTED},
        {"class_threshold_of_all", "require class third-party 1", "require class third-party 2", ACCEPTED},
        {"class_threshold_over_those_named", "require class third-party 1", "require class third-party 3",
         29, 31, "name only 2 of class third-party", 0},
        {"class_of_nobody_named", "require orgs 2 of farm overseer academy\n    require class third-party 1",
         "require orgs 2 of farm lab\n    require class third-party 1", 29, 31,
         "name only 0 of class third-party", 0},
        {"class_threshold_zero", "require class third-party 1", "require class third-party 0", 29, 31,
         "not a number", 0},
        {"class_unknown", "require class third-party 1", "require class fourth-party 1", 29, 19,
         "no such class", 0},
        {"class_twice", "require class third-party 1",
         "require class third-party 1\nrequire class third-party 2", 30, 15, "has a rule on this class", 0},
        {"class_with_surplus_word", "require class third-party 1", "require class third-party 1 2", 29, 33,
         "too many words", 0},
        {"single_org_not_allowed", "require orgs 2 of farm overseer academy",
         "require orgs 1 of farm overseer academy", 24, 1, "asks for two organisations", 0},
        {"single_org_allowed",
         "release product\n    keys product firmware\n    requesters builder\n    source git "
         "https://git.example/product\n    require orgs 2 of",
         "allow single-org\nrelease product\n    keys product firmware\n    requesters builder\n    source "
         "git "
         "https://git.example/product\n    require orgs 1 of",
         ACCEPTED},
        {"allow_unknown", "release product", "allow everything\nrelease product", 24, 7,
         "'single-org' has to stand here", 0},
        {"allow_twice", "release product", "allow single-org\nallow single-org\nrelease product", 25, 1,
         "in line 24 already", 0},
};

static Buffer good;
static Buffer spare;

static int setup(void **state)
{
        (void)state;
        error_set_trace(NULL);
        fixture_read(&good, "policy.conf");
        fixture_read(&spare, "spare-keys.txt");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        buffer_deinit(&good);
        buffer_deinit(&spare);
        return 0;
}

/* The words after `prefix`, up to the next blank: keys are not copied into this file. */
static void append_word(Buffer *out, const Buffer *from, const char *prefix)
{
        const char *word = strstr((const char *)from->data, prefix);

        assert_non_null(word);
        word += strlen(prefix);
        assert_int_equal(buffer_append(out, word, strcspn(word, " \n")), 0);
}

static void append_placeholder(Buffer *out, const char *name, size_t size)
{
        char prefix[64];

        if (strncmp(name, "255", size) == 0 || strncmp(name, "256", size) == 0) {
                for (int i = 0; i < (name[2] == '5' ? 255 : 256); i++)
                        assert_int_equal(buffer_append_byte(out, 'o'), 0);
                return;
        }
        if (size == 3 && memcmp(name, "lab", size) == 0) {
                append_word(out, &good, "rebuilder lab-1 org lab key ecdsa-p256-der:");
                return;
        }
        if (size == 13 && memcmp(name, "lab-off-curve", size) == 0) {
                append_word(out, &good, "rebuilder lab-1 org lab key ecdsa-p256-der:");
                out->data[out->size - 1] = out->data[out->size - 1] == '0' ? '1' : '0';
                return;
        }
        if (size == 7 && memcmp(name, "product", size) == 0)
                (void)snprintf(prefix, sizeof(prefix), "key product algorithm ecdsa-p256 spki ");
        else if (size == 8 && memcmp(name, "firmware", size) == 0)
                (void)snprintf(prefix, sizeof(prefix), "key firmware algorithm rsa spki ");
        else {
                (void)snprintf(prefix, sizeof(prefix), "%.*s ", (int)size, name);
                append_word(out, &spare, prefix);
                return;
        }
        append_word(out, &good, prefix);
}

/* $NAME stands for a long word of the data files. */
static void expand(Buffer *out, const char *text)
{
        for (const char *p = text; *p;) {
                size_t plain = strcspn(p, "$"), name;

                assert_int_equal(buffer_append(out, p, plain), 0);
                p += plain;
                if (*p == '\0')
                        return;
                name = strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789-");
                append_placeholder(out, p + 1, name);
                p += 1 + name;
        }
}

static void change(Buffer *out, const char *find, const char *replace)
{
        _cleanup_(buffer_deinit) Buffer from = BUFFER_NULL, to = BUFFER_NULL;
        const char *text = (const char *)good.data, *at;

        if (find) {
                expand(&from, find);
                at = strstr(text, (const char *)from.data);
                assert_non_null(at);
        } else {
                at = text + good.size;
        }
        expand(&to, replace);
        assert_int_equal(buffer_append(out, text, (size_t)(at - text)), 0);
        assert_int_equal(buffer_append(out, to.data, to.size), 0);
        assert_int_equal(buffer_append_string(out, at + from.size), 0);
}

static void drop_lines(Buffer *out, const char *word)
{
        for (const char *line = (const char *)good.data, *next; *line; line = next) {
                next = strchr(line, '\n') + 1;
                if (strncmp(line, word, strlen(word)) != 0)
                        assert_int_equal(buffer_append(out, line, (size_t)(next - line)), 0);
        }
}

static bool has_fault(const PolicyFaults *faults, const Case *c)
{
        for (size_t i = 0; i < faults->n; i++)
                if (faults->items[i].line == c->line && faults->items[i].column == c->column &&
                    strstr(faults->items[i].text, c->text))
                        return true;
        return false;
}

static void policy_parse_case(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        _cleanup_(policy_freep) Policy *policy = NULL;
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        const Case *c = *state;
        int r;

        change(&text, c->find, c->replace);
        r = policy_parse(&policy, buffer_blob(&text), &faults);
        if (!c->text) {
                fixture_print_faults(&faults);
                assert_int_equal(r, 0);
                return;
        }
        assert_int_equal(r, POLICY_E_INVALID);
        assert_null(policy);
        if (!has_fault(&faults, c) || faults.n != 1 + c->others)
                fixture_print_faults(&faults);
        assert_true(has_fault(&faults, c));
        assert_int_equal(faults.n, 1 + c->others);
}

/* ---- the document as a whole ---- */

static void assert_whole_fault(const PolicyFaults *faults, const char *text)
{
        for (size_t i = 0; i < faults->n; i++)
                if (faults->items[i].line == 0 && strstr(faults->items[i].text, text))
                        return;
        fixture_print_faults(faults);
        fail_msg("no fault '%s'", text);
}

static void policy_parse_kind_without_any_is_refused(void **state)
{
        static const char *const kinds[] = {"site", "org", "rebuilder", "key", "requester", "release"};

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
                char word[32], wanted[64];
                Policy *policy = NULL;

                (void)snprintf(word, sizeof(word), "%s ", kinds[i]);
                (void)snprintf(wanted, sizeof(wanted), "there is no '%s'", kinds[i]);
                drop_lines(&text, word);
                assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
                assert_whole_fault(&faults, wanted);
        }
}

static void policy_parse_empty_document_names_all_that_is_missing(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        Policy *policy = NULL;

        (void)state;
        assert_int_equal(policy_parse(&policy, BLOB_NULL, &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 1 + 5 + 6);
        assert_whole_fault(&faults, "there is no 'hsmd-policy'");
        assert_whole_fault(&faults, "there is no 'log'");
}

static void policy_parse_document_over_the_limit_is_refused(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0}, none = {0};
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        _cleanup_(policy_freep) Policy *policy = NULL;

        (void)state;
        assert_int_equal(buffer_append(&text, good.data, good.size), 0);
        while (text.size < LIMIT_POLICY_SIZE)
                assert_int_equal(buffer_append_byte(&text, '\n'), 0);
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &none), 0);
        policy = policy_free(policy);
        assert_int_equal(buffer_append_byte(&text, '\n'), 0);
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 1);
        assert_whole_fault(&faults, "larger than");
}

static void policy_parse_all_faults_are_reported_in_order(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Policy *policy = NULL;

        (void)state;
        change(&text, "site riga country LV", "site ri/ga county lv");
        text.data[14] = 'S'; /* serial */
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 5);
        assert_whole_fault(&faults, "there is no 'serial'");
        assert_int_equal(faults.items[1].line, 2);
        assert_int_equal(faults.items[2].line, 8);
        assert_int_equal(faults.items[2].column, 6);
        assert_int_equal(faults.items[3].column, 12);
        assert_int_equal(faults.items[4].column, 19);
}

static void policy_parse_one_fault_in_a_definition_does_not_spread_to_its_uses(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Policy *policy = NULL;

        (void)state;
        change(&text, "org academy class third-party", "org academy class");
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 1);
        assert_int_equal(faults.items[0].line, 12);
}

static void policy_parse_more_faults_than_are_kept_says_so(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        Policy *policy = NULL;

        (void)state;
        for (int i = 0; i < 500; i++)
                assert_int_equal(buffer_append_string(&text, "nonsense\n"), 0);
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 100);
        assert_non_null(strstr(faults.items[99].text, "more faults"));
}

static void policy_parse_257_of_a_kind_are_refused(void **state)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0}, none = {0};
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        _cleanup_(policy_freep) Policy *policy = NULL;

        (void)state;
        assert_int_equal(buffer_append(&text, good.data, good.size), 0);
        for (int i = 4; i < LIMIT_POLICY_NAMES; i++)
                assert_int_equal(buffer_printf(&text, "org more-%d class internal\n", i), 0);
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &none), 0);
        assert_int_equal(policy->n_orgs, LIMIT_POLICY_NAMES);
        policy = policy_free(policy);
        assert_int_equal(buffer_append_string(&text, "org last class internal\n"), 0);
        assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
        assert_int_equal(faults.n, 1);
        assert_int_equal(faults.items[0].line, 39 + LIMIT_POLICY_NAMES - 4 + 1);
        assert_non_null(strstr(faults.items[0].text, "more than 256"));
}

/* All encodings that OpenSSL takes and under which a stranger can sign (attestations 6.4). */
static void policy_parse_every_small_order_key_is_refused(void **state)
{
        static const char *const keys[] = {
                "0100000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000080",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000080",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
                _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
                _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
                char key[80];
                Policy *policy = NULL;

                (void)snprintf(key, sizeof(key), "ed25519:%s", keys[i]);
                change(&text, ED25519, key);
                assert_int_equal(policy_parse(&policy, buffer_blob(&text), &faults), POLICY_E_INVALID);
                assert_int_equal(faults.n, 1);
                assert_int_equal(faults.items[0].line, 17);
                assert_non_null(strstr(faults.items[0].text, "weak key"));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(policy_parse_kind_without_any_is_refused),
                cmocka_unit_test(policy_parse_empty_document_names_all_that_is_missing),
                cmocka_unit_test(policy_parse_document_over_the_limit_is_refused),
                cmocka_unit_test(policy_parse_all_faults_are_reported_in_order),
                cmocka_unit_test(policy_parse_one_fault_in_a_definition_does_not_spread_to_its_uses),
                cmocka_unit_test(policy_parse_more_faults_than_are_kept_says_so),
                cmocka_unit_test(policy_parse_257_of_a_kind_are_refused),
                cmocka_unit_test(policy_parse_every_small_order_key_is_refused),
        };
        static char names[ARRAY_SIZE(cases)][120];
        struct CMUnitTest all[ARRAY_SIZE(tests) + ARRAY_SIZE(cases)];
        size_t n = ARRAY_SIZE(tests);

        memcpy(all, tests, sizeof(tests));
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                static Case copies[ARRAY_SIZE(cases)];

                copies[i] = cases[i];
                (void)snprintf(names[i], sizeof(names[i]), "policy_parse_%s_is_%s", cases[i].name,
                               cases[i].text ? "refused" : "accepted");
                all[n++] = (struct CMUnitTest){
                        .name = names[i],
                        .test_func = policy_parse_case,
                        .initial_state = &copies[i],
                };
        }
        return _cmocka_run_group_tests("policy-faults", all, n, setup, teardown);
}
