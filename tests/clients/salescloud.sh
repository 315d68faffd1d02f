#!/bin/sh
# A client for SalesCloud's app scheme with nothing but openssl and curl, written from its page on authentication.
# Sends the form type that curl gives, as the page's own line does.
. "$(dirname "$0")/harness.sh"
parts body url organization signature

text="$KEY_ID:$PUBLIC_KEY:$ORGANIZATION:${BODY:?}"
signature=$(printf '%s' "$text" | openssl dgst -sha256 -hmac "$SECRET" -binary | openssl base64 -A)

body=$(sent body "$BODY")
url=$(sent url "$BASE_URL")
tenant=$(sent organization "$ORGANIZATION")
signature=$(sent signature "$signature")
post "$body" "$url" \
	--header "SalesCloud-Application: $KEY_ID" \
	--header "SalesCloud-Application-Public-Key: $PUBLIC_KEY" \
	--header "SalesCloud-Organization: $tenant" \
	--header "Authorization: App $signature"
