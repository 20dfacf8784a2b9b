// Secrets over HTTP, spoken as clients of Vault speak it (its HTTP API, the key/value engine of
// version 2 at secret/, JWT login at auth/jwt/), so that those work unmodified. A pure function of
// a request and of rows: whoever calls it has begun a transaction, and sends nothing before that is
// committed.
//
// Who asks is the holder of a token, or the operator: root or the user whose home it is, at the
// other end of the unix socket, without one. What a token may do is in the rows of `policy`.
#pragma once

#include "controller/secrets/secrets.h"
#include "controller/serve/http_server.h"
#include "controller/serve/vault/denials.h"
#include "controller/serve/vault/quotas.h"
#include "controller/serve/vault/vault_api_call.h"
#include "controller/store/database.h"
#include "controller/store/schema.h"

#include <cstdint>
#include <functional>
#include <string>

namespace rowlock {

class VaultApi {
 public:
  // Requires: all outlive this.
  VaultApi(Secrets& secrets, Database& state, const Schema& schema)
      : quotas_(state, schema), parts_{secrets, state, schema, quotas_} {}

  struct Answer {
    HttpResponse response;
    bool is_change = false;  // Rows were written beside the audit log.
    // If any: what makes the response in place of that, to be called once on a thread of its own.
    std::function<HttpResponse()> later = {};
  };

  // What a request that ends in an error wrote is undone, all but its line in the audit log. An
  // error means that the audit log or the database could not be written: the transaction must not
  // be committed, and no answer of it may go out.
  Result<Answer> answer(const HttpRequest& request, std::int64_t now_ms);

  // How many refusals were not written down one by one, of times that are over: a line of the
  // audit log for each asker. Within a transaction, as answer().
  Result<> write_left_out(std::int64_t now_ms);
  bool has_left_out() const { return denials_.has_left_out(); }

  // Whether the token that it shows is one now.
  bool knows(const HttpRequest& head, std::int64_t now_ms);

  // Whether it is a request that writes nothing and releases nothing: its answer needs no commit.
  bool is_free(const HttpRequest& request) const;

 private:
  struct Match;
  Match match(const HttpRequest& request) const;
  VaultReply ask(const VaultRoute& route, VaultCall& call);
  VaultReply ask_undoably(const VaultRoute& route, VaultCall& call);
  Result<> identify(VaultCall& call);
  Result<> take_body(const VaultRoute& route, VaultCall& call) const;
  Result<> log(const VaultRoute& route, const VaultCall& call, const VaultReply& reply);
  bool may_be_written(const VaultCall& call, const VaultReply& reply);
  Result<VaultReply> settle(const VaultRoute& route, VaultCall& call, const Keyring::Mark& keys,
                            VaultReply reply);

  Quotas quotas_;
  VaultParts parts_;
  Denials denials_;
};

}  // namespace rowlock
