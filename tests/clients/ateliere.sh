#!/bin/sh
# A client for Ateliere Connect with nothing but openssl and curl, written from its page on API authentication.
. "$(dirname "$0")/harness.sh"
parts body url organization signature

body="[{\"query\":\"$(escaped "$QUERY")\"}]"
payload=$(printf '{"url":"%s","body":"%s","organization_slug":"%s"}' \
	"$(escaped "${BASE_URL#*://}")" "$(escaped "$body")" "$(escaped "$ORGANIZATION")")
signature=$(printf '%s' "$payload" | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d ' ' -f 1)

body=$(sent body "$body")
url=$(sent url "$BASE_URL")
tenant=$(sent organization "$ORGANIZATION")
signature=$(sent signature "$signature")
post "$body" "$url" \
	--header "Content-Type: application/json" \
	--header "X-Organization-Slug: $tenant" \
	--header "oz-key-id: $KEY_ID" \
	--header "oz-signature: $signature"
