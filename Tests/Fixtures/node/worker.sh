#!/bin/sh
# Stands in for roost-worker in the tests of the daemon. The variable BEHAVIOUR says how it fares.
serve() {
    printf 'ready\n' >&3
    exec 3>&-
    exec cat >/dev/null
}

case "$BEHAVIOUR" in
serves) serve ;;
fails)
    echo 'no GPU here' >&2
    exit 3
    ;;
# Serves once the file exists; before, it only keeps the ready pipe open.
serves-if-file)
    [ ! -e "$GATE" ] || serve
    exec cat
    ;;
# A child keeps the pipe open too, so that only the time can tell.
silent)
    cat <&0 &
    exec cat
    ;;
esac
