#!/bin/sh
# Clients in the shell that sign wrongly, each in a way that the tools make easy.
#
# Prints one line a request: the causes that explain it, the scheme, and the request as it travels, in base64.
set -eu

show() {
	# causes, scheme, head, body
	request=$(printf '%s\r\nContent-Length: %s\r\n\r\n%s' "$3" "${#4}" "$4" | base64 -w 0)
	printf '{"causes":"%s","scheme":"%s","request":"%s"}\n' "$1" "$2" "$request"
}
CRLF=$(printf '\r\n_')
CRLF=${CRLF%_}

# SalesCloud: `echo` puts a newline behind what is signed, and `openssl` prints hexadecimal digits.
salescloud() {
	head="POST / HTTP/1.1${CRLF}Host: api.example.test${CRLF}SalesCloud-Application: $SALESCLOUD"
	head="$head${CRLF}SalesCloud-Application-Public-Key: $PUBLIC_KEY${CRLF}SalesCloud-Organization: $ORGANIZATION"
	show "$1" salescloud "$head${CRLF}Authorization: App $2" "$3"
}
body='{"query":"{ a }"}'
text="$SALESCLOUD:$PUBLIC_KEY:$ORGANIZATION:$body"
salescloud body_newline_added "$(echo "$text" | openssl dgst -sha256 -hmac "$SECRET" -binary | openssl base64 -A)" "$body"
salescloud encoding_hex "$(printf '%s' "$text" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/.*= //')" "$body"
salescloud algorithm_hmac_sha1 "$(printf '%s' "$text" | openssl dgst -sha1 -hmac "$SECRET" -binary | openssl base64 -A)" "$body"
salescloud secret_quoted "$(printf '%s' "$text" | openssl dgst -sha256 -hmac "\"$SECRET\"" -binary | openssl base64 -A)" "$body"

# Corezoid.
corezoid() {
	head="POST /api/2/json/$COREZOID/$NOW/$2 HTTP/1.1${CRLF}Host: api.example.test"
	show "$1" corezoid "$head" '{"ops":[]}'
}
digest() { openssl dgst -sha1 | sed 's/.*= //'; }
corezoid secret_newline "$(printf '%s%s\n%s%s\n' "$NOW" "$SECRET" '{"ops":[]}' "$SECRET" | digest)"
corezoid body_newline_added "$(printf '%s%s%s\n%s' "$NOW" "$SECRET" '{"ops":[]}' "$SECRET" | digest)"
corezoid secret_left_out "$(printf '%s%s' "$NOW" '{"ops":[]}' | digest)"

# Ayyeka: client credentials.
FORM='Content-Type: application/x-www-form-urlencoded'
GRANT='grant_type=client_credentials'
ayyeka() {
	# causes, authorization, content type, body
	head="POST /auth/token HTTP/1.1${CRLF}Host: api.example.test"
	show "$1" ayyeka "$head${2:+${CRLF}Authorization: $2}${CRLF}$3" "$4"
}
basic() { base64 -w 0; }
ayyeka basic_newline "Basic $(echo "$CLIENT:$SECRET" | basic)" "$FORM" "$GRANT"
ayyeka not_base64 "Basic $CLIENT:$SECRET" "$FORM" "$GRANT"
ayyeka twice_base64 "Basic $(printf '%s:%s' "$CLIENT" "$SECRET" | basic | basic)" "$FORM" "$GRANT"
ayyeka basic_swapped "Basic $(printf '%s:%s' "$SECRET" "$CLIENT" | basic)" "$FORM" "$GRANT"
ayyeka basic_quoted "Basic $(printf '%s:"%s"' "$CLIENT" "$SECRET" | basic)" "$FORM" "$GRANT"
ayyeka secret_base64_encoded "Basic $(printf '%s:%s' "$CLIENT" "$(printf '%s' "$SECRET" | basic)" | basic)" "$FORM" "$GRANT"
ayyeka scheme_word "Bearer $(printf '%s:%s' "$CLIENT" "$SECRET" | basic)" "$FORM" "$GRANT"
ayyeka encoding_base64url "Basic $(printf '%s:%s' "$CLIENT~~~???" "$SECRET" | basic | tr '+/' '-_')" "$FORM" "$GRANT"
ayyeka grant_type "Basic $(printf '%s:%s' "$CLIENT" "$SECRET" | basic)" "$FORM" 'grant_type=password'
ayyeka content_type "Basic $(printf '%s:%s' "$CLIENT" "$SECRET" | basic)" 'Content-Type: text/plain' "$GRANT"
ayyeka content_type+grant_type+body_json '' 'Content-Type: application/json' \
	"{\"client_id\":\"$CLIENT\",\"client_secret\":\"$SECRET\"}"
