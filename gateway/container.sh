#!/bin/sh
# The gateway's container: renders nginx's configuration, runs nginx, and reloads it when the split, the certificate or the
# addresses of another container change.
#
#   container.sh serve      run until SIGTERM
#   container.sh check      test the configuration; the image's build runs this
set -eu

etc=/etc/gateway
run=/run/gateway
split=/state/split.conf # written by the controller (ops/versions/split.py)
provided=/tls           # fullchain.pem and privkey.pem, certbot's names
self_signed=/certificate
CHECK_EVERY_S=0.5
DAYS=825
# For a name without an address, because its container does not run: a connection to this address fails at once.
UNREACHABLE=127.0.0.1
FAILED_LOOKUPS=4 # after so many in a row, a name has no address
version=$(nginx -v 2>&1 | sed 's/.*nginx\/\([0-9.]*\).*/\1/')

# Log a JSON line (json_logs.py).
log() {
    message=$(printf '%s' "$*" | tr -s '\000-\037' ' ' | sed 's/[\\"]/\\&/g')
    printf '{"time": "%s", "level": "info", "part": "gateway", "message": "%s"}\n' "$(date -u +%FT%T.000Z)" "$message" >&2
}

main() {
    case "${1:-serve}" in
    check)
        mkdir -p "$run"
        create_certificate "$run" && INNER_HOST=127.0.0.1 render "$run"
        rm -rf "$run"
        ;;
    serve) serve ;;
    *)
        log "unknown command '$1'. Accepted: serve, check"
        exit 2
        ;;
    esac
}

serve() {
    rm -f "$run"/known-* # from an earlier run
    [ "$(certificate_folder)" = "$provided" ] || create_certificate "$self_signed"
    INNER_HOST=$(own_address)
    active=$(print_inputs) known=
    render "$(certificate_folder)" || exit 1
    nginx -c "$run/nginx.conf" -e stderr -g 'daemon off;' &
    nginx=$!
    # QUIT: nginx completes active requests.
    trap 'kill -QUIT $nginx; wait $nginx; exit 0' TERM INT
    while kill -0 "$nginx" 2>/dev/null; do
        sleep $CHECK_EVERY_S &
        wait $!
        # Most often nothing has changed, and this check starts few processes.
        [ "$({ checksums; look_up torchserve-inference page-inner exporter-inner; } | sort)" = "$known" ] && continue
        now=$(print_inputs)
        [ "$now" = "$active" ] && known=$(sort "$run"/known-*) && continue
        active=$now
        if render "$(certificate_folder)"; then
            log "applying a changed split, certificate or address"
            nginx -c "$run/nginx.conf" -e stderr -s reload
        else
            log "the previous configuration stays active"
        fi
    done
    wait "$nginx"
}

# Print everything that the configuration depends on, to detect a change.
print_inputs() {
    servers torchserve-inference 8002
    servers page-inner 8005
    addresses exporter-inner
    checksums | tee "$run/known-files"
}

checksums() {
    cksum "$split" "$(certificate_folder)"/*.pem 2>/dev/null || : # there may be no split
}

# Render the configuration; if nginx rejects it, restore the previous one and fail.
render() {
    rm -rf "$run/before" && mkdir "$run/before"
    cp -R "$run"/*.conf "$run/http.d" "$run/before" 2>/dev/null || : # nothing is there at the first start
    write_files "$1"
    if ! reason=$(nginx -t -q -c "$run/nginx.conf" -e stderr 2>&1); then
        log "nginx rejected the configuration: $reason"
        cp -R "$run/before/." "$run"
        return 1
    fi
}

write_files() {
    export CERTIFICATE="$1" INNER_HOST INNER_PORT=8001 INNER_NAME=gateway-inner HTTPS_PORT="${HTTPS_PORT:-443}"
    export GATEWAY_RUN=$run GATEWAY_ETC=$etc
    RATE_LIMIT_PER_SECOND=${RATE_LIMIT_PER_SECOND:-20}
    case "$RATE_LIMIT_PER_SECOND$HTTPS_PORT" in
    *[!0-9]*)
        log "RATE_LIMIT_PER_SECOND '$RATE_LIMIT_PER_SECOND' or HTTPS_PORT '$HTTPS_PORT' is not a whole number"
        exit 1
        ;;
    esac
    # nginx rejects a rate of 0; the template then counts no client.
    RATE_LIMIT_ZONE=$RATE_LIMIT_PER_SECOND
    [ "$RATE_LIMIT_ZONE" != 0 ] || RATE_LIMIT_ZONE=1
    servers torchserve-inference 8002 >"$run/torchserve.conf"
    servers page-inner 8005 >"$run/page.conf"
    RETRY_ON='error timeout' PAGES=one
    ! are_several torchserve || RETRY_ON="$RETRY_ON non_idempotent"
    ! are_several page || PAGES=several
    EXPORTER_ADDRESS=$(addresses exporter-inner | head -n 1):8009
    # Accept every host name, because operators need a password here.
    KNOWN_NAMES='~.'
    host='([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?'
    PUBLIC_HOSTS=$(parse_list PUBLIC_HOSTS "${PUBLIC_HOSTS:-}" "$host" 'digits.example.com digits.example.com:8443') || exit 1
    CORS_ORIGINS=$(parse_list CORS_ORIGINS "${CORS_ORIGINS:-}" "https?://$host" 'https://app.example.com http://localhost:3000') || exit 1
    export RATE_LIMIT_PER_SECOND RATE_LIMIT_ZONE EXPORTER_ADDRESS RETRY_ON PAGES KNOWN_NAMES PUBLIC_HOSTS CORS_ORIGINS
    # nginx's own variables are in lower case, and stay.
    placeholders=$(grep -oh '${[A-Z_]*}' "$etc"/*.template)
    mkdir -p "$run/http.d"
    listen '8443 ssl' >"$run/listen.conf"
    listen 8080 >"$run/listen_http.conf"
    envsubst "$placeholders" <"$etc/nginx.conf.template" >"$run/nginx.conf"
    envsubst "$placeholders" <"$etc/containers.conf.template" >"$run/http.d/containers.conf"
    {
        keepalive
        cat "$split" 2>/dev/null || printf 'map "" $split_in_force { default none; }\nmap "" $model_version { default ""; }\nsplit_clients "$split_key" $model { * "mnist"; }\n'
    } >"$run/split.conf"
    trusted_proxy >"$run/http.d/trusted_proxy.conf"
    (umask 077 && monitoring >"$run/http.d/monitoring.conf")
}

# Print the maps for /monitoring/: operator access and servers, as ops/native/gateway.py does natively. nginx resolves the
# servers' names at each request, because they run in their own profile.
monitoring() {
    resolver
    if [ -s /run/secrets/operator_password ]; then
        sent=$(printf 'operator:%s' "$(cat /run/secrets/operator_password)" | base64 -w 0 | sed 's/+/\\+/g')
        echo "map \$http_authorization \$operator { \"~^Basic $sent\$\" yes; default password; }"
    else
        echo 'map "" $operator { default off; }'
    fi
    echo 'map "" $prometheus { default prometheus:9090/monitoring/prometheus; }'
    echo 'map "" $alertmanager { default alertmanager:9093/monitoring/alertmanager; }'
    echo 'map "" $grafana { default grafana:3000; }'
}

# Print nginx's resolver of names, as the container has it; nothing if it has none.
resolver() {
    sed -n 's/^nameserver \(.*:.*\)/nameserver [\1]/
        s/^nameserver \(.*\)/resolver \1 valid=1s ipv6=off;/p' /etc/resolv.conf | head -n 1
}

# Print nginx's listen directives, with IPv6 if the container has it.
listen() {
    echo "listen 0.0.0.0:$1;"
    ! grep -q . /proc/net/if_inet6 2>/dev/null || echo "listen [::]:$1;"
}

# Print the items of a setting like settings.py: in lower case, without the scheme's default port, separated by spaces;
# `-` for none.
parse_list() {
    items=$(echo "$2" | tr '[:upper:],' '[:lower:] ' | xargs -n 1 |
        sed -E 's|^(http://.*):80$|\1|; s|^(https://.*):443$|\1|')
    if echo "$items" | grep -vxEq "($3|-)?"; then
        log "$1 '$2' is not a list of such items: $4"
        exit 1
    fi
    [ -n "$items" ] || items=-
    echo "$items" | xargs
}

# Print the directive that keeps idle client connections open after a reload (ops/native/gateway.py); nginx has it since
# 1.27.4.
keepalive() {
    if nginx_is_at_least 1.27.4; then
        echo 'keepalive_min_timeout 20s;'
    elif [ ! -e "$run/warned" ]; then
        log "nginx $version is older than 1.27.4: a client may have to repeat a request that it sends on an idle connection during a reload"
        : >"$run/warned"
    fi
}

# Print the proxies whose X-Forwarded-For nginx trusts. Without TRUSTED_PROXY, the client's address is that of the connection.
trusted_proxy() {
    [ -n "${TRUSTED_PROXY:-}" ] || return 0
    case "$TRUSTED_PROXY" in
    *[!0-9a-fA-F.:/\ ]*)
        log "TRUSTED_PROXY '$TRUSTED_PROXY' is not a list of addresses or networks, such as: 10.0.0.0/8 192.0.2.7"
        exit 1
        ;;
    esac
    for network in $TRUSTED_PROXY; do
        echo "set_real_ip_from $network;"
    done
    echo 'real_ip_header X-Forwarded-For;'
    echo 'real_ip_recursive on;'
}

nginx_is_at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$version" | sort -V | head -n 1)" = "$1" ]
}

# Print nginx's servers for a name and a port. If there are several, a server that fails gets no requests for 5 s, and each
# request has its own connection: on an open connection to a machine that has lost power, it would wait for the read timeout.
#
# nginx 1.27.3 and later resolves TorchServe's name itself, so replicas come and go without a reload. The pages are listed by
# address, because nginx's `hash` sees a resolved name as one server.
servers() {
    found=$(addresses "$1")
    name=$(sed 's/ .*//; q' "$run/known-$1" 2>/dev/null || :)
    checks='max_fails=0'
    if [ "$(echo "$found" | wc -l)" -gt 1 ]; then
        checks='max_fails=1 fail_timeout=5s'
        echo 'keepalive_requests 1;'
    fi
    if [ "$1" = torchserve-inference ] && [ -n "$name" ] && [ -n "$(resolver)" ] && nginx_is_at_least 1.27.3; then
        echo "zone torchserve 256k; $(resolver) resolver_timeout 2s; server $name:$2 resolve $checks;"
    else
        echo "$found" | sed "s/.*/server &:$2 $checks;/"
    fi
}

are_several() {
    grep -q fail_timeout "$run/$1.conf"
}

# Print the addresses of a name, sorted. A lookup may fail on a busy machine or during a container's restart. The last
# addresses therefore stay for some lookups, which avoids two needless reloads.
addresses() {
    found=$(look_up "$1" | sort)
    if [ -n "$found" ]; then
        echo "$found" >"$run/known-$1"
        rm -f "$run/known-$1.missed"
    elif [ -e "$run/known-$1" ]; then
        echo >>"$run/known-$1.missed"
        [ "$(wc -l <"$run/known-$1.missed")" -lt "$FAILED_LOOKUPS" ] || rm "$run/known-$1" "$run/known-$1.missed"
    fi
    cut -d ' ' -f 2 "$run/known-$1" 2>/dev/null || echo "$UNREACHABLE"
}

# Print a line with name and address for each address of these names. The name is in its full form, which Kubernetes needs
# and nginx resolves.
look_up() {
    getent ahostsv4 "$@" 2>/dev/null | awk '$2 == "STREAM" {if ($3) name = $3; print name, $1}'
}

# Print this container's address in the network `inner`: its address that begins with INNER_HOST, or without INNER_HOST its
# address among those of the name gateway-inner, which several gateways share.
own_address() {
    own=$(awk -v start="${INNER_HOST:-}" '/32 host/ && substr(ip, 1, length(start)) == start {print ip} {ip = $2}' /proc/net/fib_trie |
        sort -u | grep -v '^127\.' || :)
    [ -n "${INNER_HOST:-}" ] || own=$(echo "$own" | grep -Fx "$(look_up gateway-inner | cut -d ' ' -f 2)" || :)
    own=$(echo "$own" | head -n 1)
    if [ -z "$own" ]; then
        log "this container has no address for ${INNER_HOST:-the name gateway-inner}: connect it to the network 'inner' (docker-compose.yml)"
        exit 1
    fi
    echo "$own"
}

certificate_folder() {
    if [ -r "$provided/fullchain.pem" ] && [ -r "$provided/privkey.pem" ]; then echo "$provided"; else echo "$self_signed"; fi
}

# Create a self-signed certificate once. It encrypts; browsers warn of it.
create_certificate() {
    # Replace a certificate that expires within a month.
    ! openssl x509 -in "$1/fullchain.pem" -noout -checkend 2592000 >/dev/null 2>&1 || return 0
    name=${SERVER_NAME:-localhost}
    log "there is no certificate in var/secrets/tls: making a self-signed one for $name"
    (
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $DAYS -subj "/CN=$name" \
            -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
            -keyout "$1/privkey.pem" -out "$1/fullchain.unfinished" 2>/dev/null
    )
    mv "$1/fullchain.unfinished" "$1/fullchain.pem"
}

main "$@"
