# What the shell clients have in common: settings, tampering, and the one line they print. Sourced; POSIX sh.
# Bodies are one line without control characters. Secrets are test secrets: openssl takes them as arguments.

set -eu
LC_ALL=C
export LC_ALL
TAMPER=${TAMPER:-}

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# The part $1 of a signed request as it will be sent: the text $2, with one byte changed if TAMPER names the part.
sent() {
	[ "$TAMPER" = "$1" ] || {
		printf '%s' "$2"
		return
	}
	changed=$(printf '%s\n' "$2" | sed -e 's/0\([^A-Za-z0-9]*\)$/4\1/;t' -e 's/[A-Za-z0-9]\([^A-Za-z0-9]*\)$/0\1/')
	[ "$changed" != "$2" ] || die "nothing to change in $2"
	printf '%s' "$changed"
}

# Dies if TAMPER names a part that is not among the arguments.
parts() {
	case " $* " in
	*" ${TAMPER:-$1} "*) ;;
	*) die "this client has no $TAMPER to tamper with" ;;
	esac
}

# A text without its quotes, as it stands in JSON.
escaped() { printf '%s\n' "$1" | sed 's/[\\"]/\\&/g' | awk '{ printf "%s%s", between, $0; between = "\\n" }'; }

# Sends the body $1 with curl's arguments $2…, and prints the answer as one line of JSON.
post() {
	body=$1
	shift
	printf '%s' "$body" | get --data-binary @- "$@"
}

# Asks with curl's arguments, and prints the answer as one line of JSON.
get() {
	answer=$(curl --silent --show-error --noproxy '*' --write-out '\n%{http_code}' "$@")
	status=$(printf '%s\n' "$answer" | tail -n 1)
	printf '{"status":%s,"body":"%s"}\n' "$status" "$(escaped "$(printf '%s\n' "$answer" | sed '$d')")"
}
