# What the CronJob `canopy-backend-backup` runs: `backup` copies the store beside the copies of the days before, and
# `restore NAME` puts one back while no server runs. POSIX alone, as PostgreSQL's images have it.
set -eu
set -- $1
folder=/backup
unfinished=$folder/.unfinished
store=${CANOPY_STORE_URL#sqlite:///}
case $CANOPY_STORE_URL in
  sqlite:*) engine=sqlite end=db ;;
  *) engine=postgresql end=dump ;;
esac

failed() {
  echo "FAILED  $1"
  exit 1
}

# PostgreSQL's programs refuse the parameters of an address that only pools and other drivers read. The server leaves the
# same out, and reads the same spellings.
address_for_programs() {
  rest=${CANOPY_STORE_URL#*://}
  kept=
  tls=
  case $rest in
    *\?*)
      set -f
      IFS='&'
      for pair in ${rest#*\?}; do
        case $pair in
          pgbouncer | pgbouncer= | pgbouncer=1 | pgbouncer=[Tt][Rr][Uu][Ee])
            failed "The address has pgbouncer=true, and a copy through a pooler may not be whole: give the server's own address." ;;
          ssl=1 | ssl=[Tt][Rr][Uu][Ee] | ssl=[Rr][Ee][Qq][Uu][Ii][Rr][Ee]) tls=sslmode=require ;;
          ssl=0 | ssl=[Ff][Aa][Ll][Ss][Ee] | schema=public) ;;
          sslmode=no-verify) kept="$kept&sslmode=require" ;;
          *)
            case ${pair%%=*} in
              pgbouncer | pool | pool_max_conns | pool_min_conns | pool_mode | pool_size | pool_timeout | connection_limit) ;;
              max_overflow | statement_cache_size | prepared_statement_cache_size | prepareThreshold) ;;
              preparedStatementCacheQueries | socket_timeout | supa | workaround | uselibpqcompat | serverVersion | charset) ;;
              *) kept="$kept&$pair" ;;
            esac
            ;;
        esac
      done
      unset IFS
      set +f
      ;;
  esac
  kept=$tls$kept  # the last of two counts, and `sslmode` says more than `ssl`
  database=postgresql://${rest%%\?*}?${kept#&}
}

copy_sqlite() {
  [ -f "$store" ] || failed "There is no store at $store, so nothing was copied."
  # Whole also while the server writes, and with what is in its log alone.
  python3 -m sqlite3 "$store" "VACUUM INTO '$unfinished'"
  # Put back, they would let in whoever has signed out since.
  python3 -m sqlite3 "$unfinished" "DELETE FROM sessions"
  python3 -m sqlite3 "$unfinished" "PRAGMA integrity_check" | grep -q "^('ok',)" || failed "The copy is damaged: look at the store."
}

copy_postgresql() {
  # Without the sessions: put back, they would let in whoever has signed out since.
  pg_dump --format=custom --no-owner --exclude-table-data='*.sessions' --file="$unfinished" "$database"
  pg_restore --list "$unfinished" > /dev/null
}

restore_sqlite() {
  cp "$1" "$store.unfinished"
  # What was there stays, with its log, which must not be read into the copy.
  for part in "" -wal -shm; do
    rm -f "$store.before$part"
    [ ! -f "$store$part" ] || mv "$store$part" "$store.before$part"
  done
  mv "$store.unfinished" "$store"
}

restore_postgresql() {
  pg_restore --clean --if-exists --no-owner --single-transaction --exit-on-error --dbname="$database" "$1"
}

backup() {
  rm -f "$unfinished"
  "copy_$engine"
  name=canopy-$(date -u +%Y%m%dT%H%M%SZ).$end
  mv "$unfinished" "$folder/$name"
  sync
  ls "$folder" | grep -E "^canopy-[0-9]{8}T[0-9]{6}Z\\.$end\$" | sort -r | tail -n "+$((COPIES + 1))" | while read -r old; do
    rm -f "$folder/$old"
  done
  echo "ok      $name has $(wc -c < "$folder/$name") bytes"
}

restore() {
  case $1 in
    "" | */*) failed "Name one of the copies: $(ls "$folder" | tr '\n' ' ')" ;;
    *."$end") ;;
    *) failed "$1 is no copy of $engine, which the values name." ;;
  esac
  [ -f "$folder/$1" ] || failed "There is no $1. There are: $(ls "$folder" | tr '\n' ' ')"
  "restore_$engine" "$folder/$1"
  sync
  echo "ok      $1 is the store"
}

[ $engine = sqlite ] || address_for_programs
case $1 in
  backup) backup ;;
  restore) restore "${2:-}" ;;
  *) failed "$1 is neither backup nor restore." ;;
esac
