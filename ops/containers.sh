#!/usr/bin/env bash
# What `make` runs where RUNS_IN=containers: the same commands, with nothing on the server but the container engine.
#
#   ops/containers.sh COMMAND [VALUE ...]
set -euo pipefail
cd "$(dirname "$0")/.."

SECRETS=(database_owner_password database_page_password database_exporter_password operator_password s3_secret_key)
FOLDER=var/secrets
BACKUPS=backups
RUNNING=var/running.yml   # the compose file of what runs
BEFORE=var/before-upgrade # the version of the database before the last upgrade, and with .yml the compose file
LOST=3     # what training.retrain ends with when the challenger may not follow
KILLED=137 # what a container ends with that took more memory than it may

say() { echo "$@"; }
fail() {
  echo "$@" >&2
  exit 1
}

# A command in a container of its own. Nothing is started for it: what runs, runs.
run() { docker compose --progress quiet run --rm --no-deps "$@"; }
ops() { run -T ops ops "$@"; }

main() {
  local command=${1:-help}
  shift || true
  docker compose version >/dev/null 2>&1 || fail "RUNS_IN=containers needs docker with compose v2" \
    "(Debian: apt-get install docker.io, and the package docker-compose), or take RUNS_IN out of .env."
  [ "$(setting MONITORING)" != 1 ] || export COMPOSE_PROFILES=${COMPOSE_PROFILES:+$COMPOSE_PROFILES,}monitoring
  case $command in
    up | down | status | logs | secrets | backup | restore | upgrade | undo | push | pull) "$command" "$@" ;;
    training | retrain | archive | track) "$command" "$@" ;;
    models | swap | rollback | canary | promote | prune) ops "$command" "$@" ;;
    *) fail "'$command' is not a command for containers. See: make help" ;;
  esac
}

up() {
  require_secrets
  build_or_pull
  docker compose up --detach --wait --no-build
  cp docker-compose.yml $RUNNING
  say
  say "Ready: draw a digit at $(address)"
}

down() {
  docker compose --profile '*' down --remove-orphans
  say "Stopped. The drawings stay in the volume 'database'."
}

status() {
  local unhealthy=0 service state health
  for service in postgres torchserve page deliverer gateway exporter $(monitoring); do
    read -r state health < <(docker compose ps --all --format '{{.State}} {{.Health}}' "$service" | head -n 1) || true
    printf '%-12s %-10s %s\n' "$service" "${state:-missing}" "${health:-}"
    [ "${health:-}" = healthy ] || unhealthy=1
  done
  say
  [ $unhealthy = 1 ] || docker stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}\t{{.CPUPerc}}' \
    $(docker compose ps --quiet)
  [ $unhealthy = 0 ] || fail "For the cause run: make logs. Start stopped parts: make up"
  say
  address
}

monitoring() { [ "$(setting MONITORING)" != 1 ] || echo prometheus alertmanager grafana loki alloy; }

logs() { docker compose logs --follow --tail 20 | sed -uEf ops/readable_logs.sed; }

# Passwords: made where they are missing; or one made anew, taken up by the database, and by whoever uses it.
secrets() {
  local name
  # Readable to all in a folder that is closed: a container reads its own as another user.
  mkdir -p $FOLDER var/acme && make_backups_folder && chmod 0700 $FOLDER && mkdir -p $FOLDER/tls && chmod 0755 $FOLDER/tls var/acme
  if [ -n "${1:-}" ]; then
    rotate "$1"
    return
  fi
  for name in "${SECRETS[@]}"; do
    if [ -e "$FOLDER/$name" ] && [ ! -s "$FOLDER/$name" ] && [ "$name" = database_owner_password ]; then
      fail "$FOLDER/$name is empty, and the database knows its password. Put the password back into the file;" \
        "without a database yet, delete the file. Then run: make secrets"
    fi
    [ -s "$FOLDER/$name" ] || make_secret "$name"
    chmod 0444 "$FOLDER/$name"
  done
}

make_secret() {
  password >"$FOLDER/$1.unfinished"
  chmod 0444 "$FOLDER/$1.unfinished"
  mv "$FOLDER/$1.unfinished" "$FOLDER/$1"
  say "wrote $FOLDER/$1"
}

rotate() {
  local name=$1
  [[ " ${SECRETS[*]} " == *" $name "* ]] ||
    { echo "ROTATE '$name' is not one of ${SECRETS[*]}, for example: make secrets ROTATE=operator_password" >&2; exit 2; }
  require_secrets
  # Broken off, the same command goes on with the same new password.
  [ -s "$FOLDER/$name.new" ] || { password >"$FOLDER/$name.new" && chmod 0444 "$FOLDER/$name.new"; }
  case $name in
    database_*) ops rotate "$name" <"$FOLDER/$name.new" ;;
  esac
  mv "$FOLDER/$name.new" "$FOLDER/$name"
  case $name in
    database_page_password) docker compose up --detach --wait --no-deps --no-build --force-recreate page deliverer ;;
    database_exporter_password) docker compose up --detach --wait --no-deps --no-build --force-recreate exporter ;;
    operator_password) docker compose up --detach --wait --no-deps --no-build --force-recreate page gateway ;;
  esac
  say "$name was replaced: $FOLDER/$name"
}

password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

require_secrets() {
  local name
  make_backups_folder
  for name in "${SECRETS[@]}"; do
    [ -s "$FOLDER/$name" ] || fail "The secret $FOLDER/$name is missing. Make it: make secrets"
  done
}

# The exporter, another user, looks at the names and times in it; what is in a backup only its owner reads.
make_backups_folder() { mkdir -p $BACKUPS && chmod 0755 $BACKUPS; }

backup() {
  local file
  file=${1:-$BACKUPS/mnist-$(date -u +%Y%m%d-%H%M%S).tar}
  mkdir -p "$(dirname "$file")"
  (umask 077 && ops "${2:-backup}" - >"$file.unfinished") || { rm -f "$file.unfinished"; exit 1; }
  mv "$file.unfinished" "$file"
  say "$file: $(du -h "$file" | cut -f 1) of drawings, archives and versions"
}

restore() {
  [ -n "${1:-}" ] || { echo "FILE is missing, for example: make restore FILE=$BACKUPS/mnist-20260101-120000.tar" >&2; exit 2; }
  [ -r "$1" ] || { echo "FILE '$1' is not a readable file" >&2; exit 2; }
  ops check-backup - <"$1"
  local saved
  saved=$BACKUPS/before-restore-$(date -u +%Y%m%d-%H%M%S).tar
  backup "$saved" backup-as-is
  ops restore - <"$1"
  # An archive of the same name may have another content now.
  docker compose up --detach --wait --no-deps --no-build --force-recreate torchserve
  say "To return to the state before: make restore FILE=$saved"
}

retrain() {
  local champion version status=0
  champion=$(ops default-version)
  training training.data --without-real-drawings
  training training.retrain --champion "$champion" --checkpoint "model_store/mnist-$champion.mar" --output runs/retrain || status=$?
  if [ $status = $LOST ]; then
    say
    say "No version was archived; $champion stays the default."
    return
  fi
  [ $status != $KILLED ] || say "Training was killed: it needs more memory than its limit in docker-compose.yml." >&2
  [ $status = 0 ] || fail "Retraining stopped; $champion stays the default."
  version=$(ops next-version)
  archive --version "$version" --checkpoint runs/retrain/challenger.pt ||
    fail "The challenger could not be archived; $champion stays the default."
  say
  say "Archived as $version. Try it: make canary VERSION=$version PERCENT=10, or make swap VERSION=$version"
}

# Of these nothing runs that `make upgrade` would have built anew.
training() { pull_signed training; run $(build_option) -T training "$@"; }
track() { pull_signed tracking; run $(build_option) -T tracking; }
archive() { run -T archive "$@" --model-store /models; }
push() { run -T ops ops.registry push "${1:-}"; }
pull() { run -T ops ops.registry pull "${1:-}"; }

# New images and migrations, after a backup; the images of before stay, for `undo`.
upgrade() {
  # A system of before the exporter had a role has no password for it, and its database none either.
  [ -s $FOLDER/database_exporter_password ] || make_secret database_exporter_password
  require_secrets
  # One that failed is tried again from where it began, or there would be no way back to that.
  if [ ! -e $BEFORE.unfinished ]; then
    local id name
    # Those that run, whatever TAG says by now.
    while read -r id name; do
      docker tag "$id" "${name%:*}:$(before)"
    done < <(docker inspect --format '{{.Image}} {{.Config.Image}}' $(docker compose ps --all --quiet))
    TAG=$(before) backup "$BACKUPS/before-upgrade-$(date -u +%Y%m%d-%H%M%S).tar"
    TAG=$(before) ops schema-version >$BEFORE
    [ ! -e $RUNNING ] || cp $RUNNING $BEFORE.yml
    touch $BEFORE.unfinished
  fi
  build_or_pull
  docker compose up --detach --wait --no-build ||
    fail "The new version did not start. To return to the previous one without losing a drawing: make undo"
  cp docker-compose.yml $RUNNING
  rm $BEFORE.unfinished
  # Those that have lost their names to the next ones, or the disk would be full one day.
  docker image prune --force --filter "label=com.docker.compose.project=$(project)" >/dev/null
  say
  say "Upgraded: $(address). To return to the previous version without losing a drawing: make undo"
}

# The images before the last upgrade; what its migrations did is taken back by their own second halves.
undo() {
  [ -s $BEFORE ] || fail "There is nothing to undo: no 'make upgrade' was run here."
  docker compose up --detach --wait --no-deps --no-build postgres
  # What the page has written is delivered, within a tenth of a second, before columns of it are dropped.
  docker compose stop page && sleep 1 && docker compose stop deliverer
  ops migrate-down-to "$(cat $BEFORE)"
  local file=docker-compose.yml
  [ ! -e $BEFORE.yml ] || file=$BEFORE.yml
  TAG=$(before) docker compose --project-directory . --file $file up --detach --wait --no-build --remove-orphans
  cp $file $RUNNING
  rm -f $BEFORE $BEFORE.yml $BEFORE.unfinished
  say
  say "The upgrade was undone: $(address)"
}

# IMAGES names a registry's images, which the release workflow made; without it they are made here.
build_or_pull() {
  if [ -z "$(setting IMAGES)" ]; then
    say "building the images; the first time it takes minutes ..."
    docker compose build --quiet
  elif [ -e "$(digests)" ]; then
    pull_signed torchserve page exporter gateway ops
  else
    docker compose pull --quiet
  fi
}

# What deploy.yml writes: a line for each image of the release, its part and its signed digest.
digests() { echo "var/digests-$(setting TAG)"; }

# Pull by digest, for a tag can move in the registry, and give the image its tag here, where compose looks for it.
pull_signed() {
  [ -n "$(setting IMAGES)" ] && [ -e "$(digests)" ] || return 0
  local part image digest
  for part in "$@"; do
    image=$(setting IMAGES)-$part
    digest=$(sed -n "s/^$part //p" "$(digests)")
    [ -n "$digest" ] || fail "$(digests) has no digest of '$part'. Run the deploy workflow again, or remove the file."
    docker image inspect "$image@$digest" >/dev/null 2>&1 || docker pull --quiet "$image@$digest" >/dev/null
    docker tag "$image@$digest" "$image:$(setting TAG)"
  done
}

build_option() { [ -n "$(setting IMAGES)" ] || echo --build; }

# The tag of the images before the last upgrade: other checkouts on this engine have their own.
before() { echo "$(project)-before"; }

project() { local name; name=$(setting COMPOSE_PROJECT_NAME); echo "${name:-mnist}"; }

# As compose reads it: from the environment, else from .env.
setting() { printenv "$1" || sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1; }

address() {
  local port
  port=$(docker compose port gateway 8443 2>/dev/null | head -n 1 | sed 's/.*://')
  say "https://$(name=$(setting SERVER_NAME); echo "${name:-localhost}")$([ "${port:-443}" = 443 ] || echo ":$port")"
}

main "$@"; exit  # not a line further: a `git pull` may have changed this file meanwhile
