#!/usr/bin/env bash
# The commands of `make` with RUNS_IN=containers or RUNS_IN=swarm (ops/swarm.sh). The server needs only a container engine.
#
#   ops/containers.sh COMMAND [VALUE ...]
set -euo pipefail
cd "$(dirname "$0")/.."

SECRETS=(database_owner_password database_page_password database_exporter_password operator_password s3_secret_key)
FOLDER=var/secrets
BACKUPS=backups
RUNNING=var/running.yml   # the compose file of the running containers
BEFORE=var/before-upgrade # the schema version before the last upgrade; with .yml, the compose file before it
BUILT=()   # services whose images are built; all if empty
LOST=3     # training.retrain's exit status if the challenger fails the comparison
KILLED=137 # the exit status of a container above its memory limit

fail() { echo "$@" >&2; exit 1; }
fail_usage() { echo "$@" >&2; exit 2; }

# Run a command in a new container, without starting the services that it depends on.
run() { docker compose --progress quiet run --rm --no-deps "$@"; }
ops() { run -T ops ops "$@"; }
# Start services and wait until they are healthy.
start() { docker compose up --detach --wait --no-build "$@"; }
restart() { start --no-deps --force-recreate "$@"; }

main() {
  local command=${1:-help}
  shift || true
  docker compose version >/dev/null 2>&1 || fail "RUNS_IN=$(setting RUNS_IN) needs docker with compose v2" \
    "(Debian: apt-get install docker.io, and the package docker-compose), or take RUNS_IN out of .env."
  [ "$(setting MONITORING)" != 1 ] || export COMPOSE_PROFILES=${COMPOSE_PROFILES:+$COMPOSE_PROFILES,}monitoring
  case $command in
    up | down | status | logs | secrets | backup | restore | upgrade | undo | training | retrain | archive | track)
      "$command" "$@" ;;
    models | swap | rollback | canary | promote | prune | write-labels) ops "$command" "$@" ;;
    push | pull | push-labels | pull-labels) run -T ops ops.integrations.registry "$command" "$@" ;;
    *) fail "'$command' is not a command for containers. See: make help" ;;
  esac
}

up() {
  require_secrets
  build_or_pull
  start
  cp docker-compose.yml $RUNNING
  printf '\n%s\n' "Ready: draw a digit at $(address)"
}

down() {
  docker compose --profile '*' down --remove-orphans
  echo "Stopped. The drawings stay in the volume 'database'."
}

status() {
  local unhealthy=0 service state health
  for service in postgres torchserve page deliverer gateway exporter $(monitoring); do
    read -r state health < <(docker compose ps --all --format '{{.State}} {{.Health}}' "$service" | head -n 1) || true
    printf '%-12s %-10s %s\n' "$service" "${state:-missing}" "${health:-}"
    [ "${health:-}" = healthy ] || unhealthy=1
  done
  echo
  [ $unhealthy = 1 ] || docker stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}\t{{.CPUPerc}}' \
    $(docker compose ps --quiet)
  [ $unhealthy = 0 ] || fail "For the cause run: make logs. Start stopped parts: make up"
  echo
  address
}

monitoring() { [ "$(setting MONITORING)" != 1 ] || echo prometheus alertmanager grafana loki alloy; }

logs() { docker compose logs --follow --tail 20 | sed -uEf ops/readable_logs.sed; }

# Create missing passwords, or rotate one.
secrets() {
  local name
  # Files readable by all in a private folder, because containers read them as another user.
  mkdir -p $FOLDER var/acme && make_backups_folder && chmod 0700 $FOLDER && mkdir -p $FOLDER/tls && chmod 0755 $FOLDER/tls var/acme
  [ -z "${1:-}" ] || { rotate "$1"; return; }
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
  echo "wrote $FOLDER/$1"
}

rotate() {
  local name=$1
  [[ " ${SECRETS[*]} " == *" $name "* ]] || fail_usage "ROTATE '$name' is not one of ${SECRETS[*]}," \
    "for example: make secrets ROTATE=operator_password"
  require_secrets
  # After an interruption, the same command continues with the same new password.
  [ -s "$FOLDER/$name.new" ] || { password >"$FOLDER/$name.new" && chmod 0444 "$FOLDER/$name.new"; }
  [[ $name != database_* ]] || ops rotate "$name" <"$FOLDER/$name.new"
  mv "$FOLDER/$name.new" "$FOLDER/$name"
  case $name in
    database_page_password) restart page deliverer ;;
    database_exporter_password) restart exporter ;;
    operator_password) restart page gateway ;;
  esac
  echo "$name was replaced: $FOLDER/$name"
}

password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

require_secrets() {
  local name
  make_backups_folder
  for name in "${SECRETS[@]}"; do
    [ -s "$FOLDER/$name" ] || fail "The secret $FOLDER/$name is missing. Make it: make secrets"
  done
}

# The exporter, another user, reads names and times of backups; only their owner reads the content.
make_backups_folder() { mkdir -p $BACKUPS && chmod 0755 $BACKUPS; }

timestamped() { echo "$BACKUPS/$1-$(date -u +%Y%m%d-%H%M%S).tar"; }

backup() {
  local file=${1:-$(timestamped mnist)}
  mkdir -p "$(dirname "$file")"
  (umask 077 && ops "${2:-backup}" - >"$file.unfinished") || { rm -f "$file.unfinished"; exit 1; }
  mv "$file.unfinished" "$file"
  echo "$file: $(du -h "$file" | cut -f 1) of drawings, archives and versions"
}

restore() {
  [ -n "${1:-}" ] || fail_usage "FILE is missing, for example: make restore FILE=$BACKUPS/mnist-20260101-120000.tar"
  [ -r "$1" ] || fail_usage "FILE '$1' is not a readable file"
  ops check-backup - <"$1"
  local saved=$(timestamped before-restore)
  backup "$saved" backup-as-is
  ops restore - <"$1"
  # TorchServe may serve an archive of the same name with other content.
  restart torchserve
  echo "To return to the state before: make restore FILE=$saved"
}

retrain() {
  local labels=${1:-} champion=${2:-} version status=0
  [ -n "$champion" ] || champion=$(ops default-version)
  training training.data --without-real-drawings
  training training.retrain --champion "$champion" --checkpoint "model_store/mnist-$champion.mar" --output runs/retrain \
    ${labels:+--labels "$labels"} || status=$?
  [ $status != $LOST ] || { printf '\n%s\n' "No version was archived; $champion stays the default."; return; }
  [ $status != $KILLED ] || echo "Training was killed: it needs more memory than its limit in docker-compose.yml." >&2
  [ $status = 0 ] || fail "Retraining stopped; $champion stays the default."
  version=$(ops next-version)
  archive --version "$version" --checkpoint runs/retrain/challenger.pt ||
    fail "The challenger could not be archived; $champion stays the default."
  printf '\n%s\n' "Archived as $version. Try it: make canary VERSION=$version PERCENT=10, or make swap VERSION=$version"
}

# `make upgrade` does not build these images, because no service runs them.
training() { pull_signed training; run $(build_option) -T training "$@"; }
track() { pull_signed tracking; run $(build_option) -T tracking; }
archive() { run -T archive "$@" --model-store /models; }

# Make a backup, keep the old images for `undo`, then start new images and apply their migrations.
upgrade() {
  # Older systems have no role and no password for the exporter.
  [ -s $FOLDER/database_exporter_password ] || make_secret database_exporter_password
  require_secrets
  # Repeating a failed upgrade keeps its first backup and images, which `undo` needs.
  if [ ! -e $BEFORE.unfinished ]; then
    local id name
    # The images of the running containers, independent of TAG.
    while read -r id name; do
      docker tag "$id" "${name%:*}:$(before)"
    done < <(docker inspect --format '{{.Image}} {{.Config.Image}}' $(docker compose ps --all --quiet))
    TAG=$(before) backup "$(timestamped before-upgrade)"
    TAG=$(before) ops schema-version >$BEFORE
    [ ! -e $RUNNING ] || cp $RUNNING $BEFORE.yml
    touch $BEFORE.unfinished
  fi
  build_or_pull
  start ||
    fail "The new version did not start. To return to the previous one without losing a drawing: make undo"
  cp docker-compose.yml $RUNNING
  rm $BEFORE.unfinished
  # Remove untagged old images, which would fill the disk.
  docker image prune --force --filter "label=com.docker.compose.project=$(project)" >/dev/null
  printf '\n%s\n' "Upgraded: $(address). To return to the previous version without losing a drawing: make undo"
}

# Undo the migrations of the last upgrade by their `migrate:down` sections, then start the images before it.
undo() {
  [ -s $BEFORE ] || fail "There is nothing to undo: no 'make upgrade' was run here."
  start --no-deps postgres
  # The deliverer empties the outbox (0.1 s) before columns are dropped.
  docker compose stop page && sleep 1 && docker compose stop deliverer
  ops migrate-down-to "$(cat $BEFORE)"
  local file=docker-compose.yml
  [ ! -e $BEFORE.yml ] || file=$BEFORE.yml
  TAG=$(before) docker compose --project-directory . --file $file up --detach --wait --no-build --remove-orphans
  cp $file $RUNNING
  rm -f $BEFORE $BEFORE.yml $BEFORE.unfinished
  printf '\n%s\n' "The upgrade was undone: $(address)"
}

# IMAGES names the release workflow's images in a registry; without it, build the images here.
build_or_pull() {
  if [ -z "$(setting IMAGES)" ]; then
    echo "building the images; the first time it takes minutes ..."
    docker compose build --quiet "${BUILT[@]}"
  elif [ -e "$(digests)" ]; then
    pull_signed torchserve page exporter gateway ops
  else
    docker compose pull --quiet
  fi
}

# The file of deploy.yml: for each image of the release a line with part and signed digest.
digests() { echo "var/digests-$(setting TAG)"; }
# Print the signed digest of a part, or nothing.
digest() { sed -n "s/^$1 //p" "$(digests)" 2>/dev/null || :; }

# Pull by digest, because a registry's tag can change, and tag the image locally for compose.
pull_signed() {
  [ -n "$(setting IMAGES)" ] && [ -e "$(digests)" ] || return 0
  local part image digest
  for part in "$@"; do
    image=$(setting IMAGES)-$part
    digest=$(digest "$part")
    [ -n "$digest" ] || fail "$(digests) has no digest of '$part'. Run the deploy workflow again, or remove the file."
    docker image inspect "$image@$digest" >/dev/null 2>&1 || docker pull --quiet "$image@$digest" >/dev/null
    docker tag "$image@$digest" "$image:$(setting TAG)"
  done
}

build_option() { [ -n "$(setting IMAGES)" ] || echo --build; }

# The tag of the images before the last upgrade, different for each project on this engine.
before() { echo "$(project)-before"; }

project() { local name; name=$(setting COMPOSE_PROJECT_NAME); echo "${name:-mnist}"; }

# Read a setting like compose: from the environment, else from .env.
setting() { printenv "$1" || sed -n "s/^$1=//p" .env 2>/dev/null | tail -n 1; }

address() {
  local name=$(setting SERVER_NAME) port=$(setting HTTPS_PORT)
  echo "https://${name:-localhost}$([ "${port:-443}" = 443 ] || echo ":$port")"
}

[ "$(setting RUNS_IN)" != swarm ] || . ops/swarm.sh
main "$@"; exit  # read no further line, because a `git pull` may have changed this file
