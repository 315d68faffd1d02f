#!/bin/sh
# The four steps of Ayyeka's page on authentication, the values filled in: a key and its secret, their base64, a token,
# and a request with it. The lines are the page's, but for its `Host:`, which holds a URL. The blank after
# `grant_type=` is printed there.
. "${0%/*}/harness.sh"
parts secret token

Key=$KEY_ID
Secret=$(sent secret "$SECRET")
b64_auth_string=$(printf '%s:%s' "$Key" "$Secret" | openssl base64 -A)

answer=$(get "$BASE_URL/auth/token" \
	-H 'Content-Type: application/x-www-form-urlencoded' \
	-H "Authorization: Basic $b64_auth_string" \
	-H 'Cache-Control: no-cache' \
	--data 'grant_type= client_credentials')
case $answer in
'{"status":200,'*) ;;
*)
	printf '%s\n' "$answer"
	exit 0
	;;
esac

access_token=$(printf '%s\n' "$answer" | sed 's/.*access_token\\": *\\"\([^\"]*\)\\".*/\1/')
access_token=$(sent token "$access_token")
get "$BASE_URL${API:-/v2.0/site}" -H "Authorization:Bearer $access_token" -H 'Cache-Control: no-cache'
