# Runs a Postgres server for the program that holds the other end of stdin, and removes it when that program ends, in
# whatever way: nothing is ever written to the pipe, so reading it returns when it is closed. The folder is made here and
# not by the program, so that there is no moment in which a dying program leaves it behind.
#
# $1: the folder of initdb and pg_ctl; $2: the folder in which to make a folder; $3: the server's settings.
# Prints "ready FOLDER", or what went wrong.

trap '' HUP INT PIPE QUIT TERM
umask 077
folder=$(mktemp -d "$2/countersign-pg.XXXXXX") || exit 1
cd "$folder" || exit 1

start() {
	"$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync &&
		"$1/pg_ctl" -D data -l log -w -t 120 -o "-c unix_socket_directories=$folder $3" start
}

if start "$@" </dev/null >out 2>&1; then
	echo "ready $folder"
	exec >&-
	read -r _
else
	cat out log
fi 2>/dev/null

"$1/pg_ctl" -D data -m immediate -w -t 120 stop </dev/null >/dev/null 2>&1
cd / && rm -rf "$folder"
