/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"
#include "base/error.h"
#include "journal/entry.h"
#include "journal/proof.h"

#include "client/artifact.h"
#include "client/command.h"
#include "client/keep.h"
#include "client/report.h"

/* What comes from the daemon is believed only as far as its entry names this very file and signature. */
static const char *reply_fault(const RequestItem *item, Blob signature, Blob proof_text)
{
        _cleanup_(proof_deinit) Proof proof = {};
        _cleanup_(entry_deinit) Entry entry = {};
        uint8_t digest[SHA256_SIZE];

        if (proof_decode(&proof, proof_text) != 0)
                return "the proof in the reply is malformed";
        if (entry_decode(&entry, buffer_blob(&proof.extra)) != 0 || strcmp(entry.type, ENTRY_SIGNATURE) != 0)
                return "the proof in the reply is not about a signature";
        if (!entry.has_artifact || memcmp(entry.artifact_sha256, item->digests.sha256, SHA256_SIZE) != 0)
                return "the proof in the reply is about another file (or this one has changed)";
        sha256(digest, signature.data, signature.size);
        if (!entry.has_signature || memcmp(entry.signature_sha256, digest, SHA256_SIZE) != 0)
                return "the proof in the reply is about another signature";
        return NULL;
}

int keep_result(const RequestItem *item, const Result *result, const char *path)
{
        _cleanup_(buffer_deinit) Buffer signature = BUFFER_NULL;
        const char *fault;
        int r;

        assert(item);
        assert(result);
        assert(path);

        if (!result->signature || !result->proof)
                return report_failure(EXIT_FAULT, "reply-syntax", "%s: the reply has no signature or proof",
                                      item->path);
        r = base64_decode(&signature, BASE64_STANDARD, result->signature, strlen(result->signature));
        if (r < 0)
                return report_errno(r);
        fault = r > 0 ? "the signature in the reply is malformed"
                      : reply_fault(item, buffer_blob(&signature), BLOB_STRING(result->proof));
        if (fault)
                return report_failure(EXIT_VERIFY, "reply-wrong", "%s: %s", item->path, fault);

        r = artifact_write(path, ".tlog-proof", BLOB_STRING(result->proof));
        if (r == 0)
                r = artifact_write(path, ".sig", buffer_blob(&signature));
        if (r)
                return report_failure(EXIT_FAULT, "unwritable", "%s.sig: %s", path, strerror(-r));
        return 0;
}
