# The commands of `make` with RUNS_IN=swarm, on a manager of the Swarm. ops/containers.sh sources this file, whose functions
# replace its functions of the same names. Its other commands run in containers of this machine, in the stack's networks
# (deploy/swarm/commands.yml).

STACK_FILE=deploy/swarm/stack.yml
CERTIFICATE_FILE=deploy/swarm/certificate.yml
LABELS=(mnist.data mnist.gateway mnist.page)
# The volumes of commands.yml. Compose requires all of them on this machine, even if no service of the stack uses them here.
VOLUMES=(database outbox state models metrics certificate uploads objects)
# One service for each image: Compose writes the service's name into the image, so a second build would have another id.
BUILT=(gateway page torchserve ops exporter s3)
# An update replaces the replicas of TorchServe one after the other, in up to two minutes each.
COMPLETE_WITHIN_S=${COMPLETE_WITHIN_S:-1200}
POLL_INTERVAL_S=${POLL_INTERVAL_S:-1}
export COMPOSE_FILE=docker-compose.yml:deploy/swarm/commands.yml

up() {
  require_secrets
  require_nodes
  build_or_pull
  deploy
  wait_until_complete
  printf '\n%s\n' "Ready: draw a digit at $(address)"
}

down() {
  require_manager
  docker stack rm "$(project)" >/dev/null
  # `stack rm` returns before the networks are removed.
  while [ -n "$(docker network ls --quiet --filter "label=com.docker.stack.namespace=$(project)")" ]; do sleep $POLL_INTERVAL_S; done
  # Swarm keeps the stopped containers of jobs.
  docker container prune --force --filter "label=com.docker.stack.namespace=$(project)" >/dev/null
  echo "Stopped. The drawings stay in the volumes 'database' and 'outbox'."
}

status() {
  require_manager
  docker stack ps "$(project)" --filter desired-state=running --format 'table {{.Name}}\t{{.Node}}\t{{.CurrentState}}\t{{.Error}}'
  echo
  local services=$(incomplete)
  [ -z "$services" ] || fail "Not complete: $(echo $services). For the cause run: make logs"
  address
}

logs() {
  require_manager
  local service
  for service in $(docker stack services "$(project)" --format '{{.Name}}'); do
    docker service logs --follow --tail 20 "$service" 2>&1 &
  done | sed -uEf ops/readable_logs.sed
}

upgrade() { fail_usage "make upgrade needs RUNS_IN=containers; in a Swarm: make backup, git pull or another TAG, make up"; }
undo() { fail_usage "make undo needs RUNS_IN=containers; in a Swarm: git switch --detach COMMIT or the TAG before, make up"; }

# Apply the secrets in var/secrets, then replace the tasks of these services.
restart() {
  local service
  deploy
  for service in "$@"; do
    docker service update --force --detach --quiet "$(project)_$service" >/dev/null
  done
  wait_until_complete
}

require_manager() {
  [ "$(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null)" = true ] ||
    fail "RUNS_IN=swarm needs a manager of a Swarm on this machine. Make one: docker swarm init --advertise-addr ADDRESS"
}

# Each label needs a node, and mnist.data exactly one: on another node, database and S3 store would not have their files.
require_nodes() {
  require_manager
  local labels label count
  labels=$(docker node inspect --format '{{range $name, $value := .Spec.Labels}}{{$name}}={{$value}} {{end}}' \
    $(docker node ls --quiet))
  for label in "${LABELS[@]}"; do
    count=$(grep -o "$label=true" <<<"$labels" | wc -l || :)
    [ "$count" -gt 0 ] || fail "No node has the label $label. Choose one: docker node update --label-add $label=true NODE"
    [ "$label" != mnist.data ] || [ "$count" = 1 ] || fail "$count nodes have the label mnist.data, but the database has" \
      "its files on one node. Remove the others: docker node update --label-rm mnist.data NODE"
  done
}

deploy() {
  local name files=(--compose-file $STACK_FILE)
  for name in "${SECRETS[@]}"; do export_sum "$name" "$FOLDER/$name"; done
  if [ -s $FOLDER/tls/fullchain.pem ] && [ -s $FOLDER/tls/privkey.pem ]; then
    files+=(--compose-file $CERTIFICATE_FILE)
    export_sum certificate $FOLDER/tls/fullchain.pem
    export_sum private_key $FOLDER/tls/privkey.pem
  fi
  for name in "${BUILT[@]}"; do export "${name^^}_TAG=$(image_tag "$name")"; done
  # `docker stack` does not read .env.
  for name in $(grep -ho '\${[A-Z0-9_]*' $STACK_FILE | tr -d '${' | sort -u); do export "$name=$(setting "$name")"; done
  for name in "${VOLUMES[@]}"; do docker volume create "$(project)_$name" >/dev/null; done
  docker stack deploy --prune --with-registry-auth --detach=true \
    --resolve-image "$([ -n "$(setting IMAGES)" ] && echo always || echo never)" "${files[@]}" "$(project)" >/dev/null
}

# Export the checksum of a file, which deploy/swarm/stack.yml adds to a secret's name.
export_sum() { local sum=$(sha256sum <"$2"); export "${1^^}_SUM=${sum:0:12}"; }

# Print a tag that identifies one image, because Swarm updates a service only if the name of its image changes. For images
# of a registry it is TAG with the signed digest, for images built here the image's id.
image_tag() {
  local tag=$(setting TAG) image digest id
  tag=${tag:-local}
  image=$(setting IMAGES); image=${image:-mnist}-$1
  digest=$(digest "$1")
  if [ -n "$digest" ]; then
    tag=$tag@$digest
  elif [ -z "$(setting IMAGES)" ]; then
    id=$(docker image inspect --format '{{.Id}}' "$image:$tag") || fail "The image $image:$tag is missing. Build it: make up"
    tag=${id:7:12}
    docker tag "$id" "$image:$tag"
  fi
  echo "$tag"
}

# Wait until every service is complete. Fail if Swarm has returned to the previous configuration.
wait_until_complete() {
  local end=$((SECONDS + COMPLETE_WITHIN_S)) failed
  while [ -n "$(incomplete)" ]; do
    [ $SECONDS -lt $end ] || fail "After $COMPLETE_WITHIN_S s not complete: $(echo $(incomplete)). See: make status, make logs"
    sleep $POLL_INTERVAL_S
  done
  failed=$(updates | sed -n 's/ rollback_completed.*//p')
  [ -z "$failed" ] || fail "The new tasks of $(echo $failed) failed, and the previous configuration runs again." \
    "For the cause run: make logs"
}

# Print each service with missing or waiting tasks, or an update in progress. `stack services` prints replicas such as
# "3/4 (max 2 per node)", and "0/1 (1/1 completed)" for a job. It leaves out a task that Swarm will start again in a moment,
# for example because its node has no such image; `stack ps` has these tasks.
incomplete() {
  docker stack services "$(project)" --format '{{.Name}} {{.Replicas}}' |
    sed -E 's|^(\S+) \S+ \(([0-9]+/[0-9]+) completed\)|\1 \2|; s|/| |' | awk '$2 != $3 { print $1 }'
  docker stack ps "$(project)" --filter desired-state=ready --filter desired-state=running \
    --format '{{.Name}} {{.CurrentState}}' | awk '$2 != "Running" { sub(/\..*/, "", $1); print $1 }'
  updates | awk '$2 ~ /^(updating|rollback_started|paused|rollback_paused)$/ { print $1 }'
}

updates() {
  docker service inspect --format '{{.Spec.Name}} {{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}' \
    $(docker stack services "$(project)" --quiet)
}
