#!/bin/sh
# A client for Corezoid's API with nothing but openssl and curl, written from its page on the API.
. "$(dirname "$0")/harness.sh"
parts body url time signature

time=$(date +%s)
signature=$(printf '%s' "$time$SECRET${BODY:?}$SECRET" | openssl dgst -sha1 -r | cut -d ' ' -f 1)

body=$(sent body "$BODY")
url=$(sent url "$BASE_URL")
time=$(sent time "$time")
signature=$(sent signature "$signature")
post "$body" "$url/$KEY_ID/$time/$signature" --header "Content-Type: application/json; charset=utf8"
