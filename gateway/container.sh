#!/bin/sh
# The gateway's container: fills in nginx's configuration, runs nginx, and lets it reload when something changed that it
# cannot see by itself: another split, a renewed certificate, another address of a container that was started anew.
#
#   container.sh serve      until it is told to stop
#   container.sh check      whether nginx takes the configuration; the image is not built otherwise
set -eu

etc=/etc/gateway
run=/run/gateway
split=/state/split.conf # written by TorchServe's keeper
given=/tls              # fullchain.pem and privkey.pem, as certbot names them
self_signed=/certificate
LOOK_EVERY_S=0.5
DAYS=825
# What answers where a name has no address, for its container does not run: nothing, at once.
NOBODY=127.0.0.1
MISSES=4

# A JSON line (json_logs.py).
say() {
    message=$(printf '%s' "$*" | tr -s '\000-\037' ' ' | sed 's/[\\"]/\\&/g')
    printf '{"time": "%s", "level": "info", "part": "gateway", "message": "%s"}\n' "$(date -u +%FT%T.000Z)" "$message" >&2
}

main() {
    case "${1:-serve}" in
    check)
        mkdir -p "$run"
        certificate "$run" && INNER_HOST=127.0.0.1 settle "$run"
        rm -rf "$run"
        ;;
    serve) serve ;;
    *)
        say "unknown command '$1'. Accepted: serve, check"
        exit 2
        ;;
    esac
}

serve() {
    rm -f "$run"/address-* "$run"/missed-* # of an earlier run
    has_a_certificate || certificate "$self_signed"
    INNER_HOST=$(own_address gateway-inner)
    seen=$(look)
    settle "$(in_use)" || exit 1
    nginx -c "$run/nginx.conf" -e stderr -g 'daemon off;' &
    nginx=$!
    # QUIT: what is being answered is answered to its end.
    trap 'kill -QUIT $nginx; wait $nginx; exit 0' TERM INT
    while kill -0 "$nginx" 2>/dev/null; do
        sleep $LOOK_EVERY_S &
        wait $!
        now=$(look)
        [ "$now" = "$seen" ] && continue
        seen=$now
        if settle "$(in_use)"; then
            say "applying a changed split, certificate or address"
            nginx -c "$run/nginx.conf" -e stderr -s reload
        else
            say "the previous configuration stays active"
        fi
    done
    wait "$nginx"
}

# All that a configuration depends on, as one text to compare.
look() {
    address torchserve-inference
    address page-inner
    address exporter-inner
    cat "$split" 2>/dev/null || :
    has_a_certificate && cksum "$given/fullchain.pem" "$given/privkey.pem" || :
}

# Fill in everything; fails where nginx does not take it, and then all is as before.
settle() {
    before=$run/before
    rm -rf "$before" && mkdir "$before"
    for file in nginx.conf split.conf http.d; do
        [ ! -e "$run/$file" ] || mv "$run/$file" "$before/"
    done
    write "$1"
    if said=$(nginx -t -q -c "$run/nginx.conf" -e stderr 2>&1); then
        return 0
    fi
    say "nginx rejected the configuration: $said"
    for file in nginx.conf split.conf http.d; do
        rm -rf "${run:?}/$file"
        [ ! -e "$before/$file" ] || mv "$before/$file" "$run/"
    done
    return 1
}

write() {
    export CERTIFICATE="$1" INNER_HOST INNER_PORT=8001 INNER_NAME=gateway-inner HTTPS_PORT="${HTTPS_PORT:-443}"
    export GATEWAY_RUN=$run GATEWAY_ETC=$etc
    RATE_LIMIT_PER_SECOND=${RATE_LIMIT_PER_SECOND:-20}
    case "$RATE_LIMIT_PER_SECOND$HTTPS_PORT" in
    *[!0-9]*)
        say "RATE_LIMIT_PER_SECOND '$RATE_LIMIT_PER_SECOND' or HTTPS_PORT '$HTTPS_PORT' is not a whole number"
        exit 1
        ;;
    esac
    # nginx knows no rate of 0; the template then counts nobody.
    RATE_LIMIT_ZONE=$RATE_LIMIT_PER_SECOND
    [ "$RATE_LIMIT_ZONE" != 0 ] || RATE_LIMIT_ZONE=1
    INFERENCE_ADDRESS=$(address torchserve-inference):8002
    PAGE_ADDRESS=$(address page-inner):8005
    EXPORTER_ADDRESS=$(address exporter-inner):8009
    # Any name may be this server's: nobody is an operator here without a password.
    KNOWN_NAMES='~.'
    host='([a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?'
    PUBLIC_HOSTS=$(list PUBLIC_HOSTS "${PUBLIC_HOSTS:-}" "$host" 'digits.example.com digits.example.com:8443') || exit 1
    CORS_ORIGINS=$(list CORS_ORIGINS "${CORS_ORIGINS:-}" "https?://$host" 'https://app.example.com http://localhost:3000') || exit 1
    export RATE_LIMIT_PER_SECOND RATE_LIMIT_ZONE INFERENCE_ADDRESS PAGE_ADDRESS EXPORTER_ADDRESS KNOWN_NAMES PUBLIC_HOSTS CORS_ORIGINS
    placeholders='${INNER_HOST} ${INNER_PORT} ${INNER_NAME} ${INFERENCE_ADDRESS} ${PAGE_ADDRESS} ${EXPORTER_ADDRESS}
        ${KNOWN_NAMES} ${PUBLIC_HOSTS} ${CORS_ORIGINS} ${RATE_LIMIT_PER_SECOND} ${RATE_LIMIT_ZONE} ${GATEWAY_RUN} ${GATEWAY_ETC} ${CERTIFICATE}
        ${HTTPS_PORT}'
    mkdir -p "$run/http.d"
    listen '8443 ssl' >"$run/listen.conf"
    listen 8080 >"$run/listen_http.conf"
    envsubst "$placeholders" <"$etc/nginx.conf.template" >"$run/nginx.conf"
    envsubst "$placeholders" <"$etc/containers.conf.template" >"$run/http.d/containers.conf"
    {
        linger
        cat "$split" 2>/dev/null || printf 'map "" $split_in_force { default none; }\nmap "" $model_version { default ""; }\nsplit_clients "$split_key" $model { * "mnist"; }\n'
    } >"$run/split.conf"
    trusted_proxy >"$run/http.d/trusted_proxy.conf"
    (umask 077 && monitoring >"$run/http.d/monitoring.conf")
}

# Who is an operator at /monitoring/, and where it leads, as ops/gateway.py writes it natively. The names are looked up
# when an operator asks: these servers run in their own profile.
monitoring() {
    server=$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1)
    case "$server" in
    '') ;;
    *:*) echo "resolver [$server] valid=10s ipv6=off;" ;;
    *) echo "resolver $server valid=10s ipv6=off;" ;;
    esac
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

# By IPv6 too, where the container has it.
listen() {
    echo "listen 0.0.0.0:$1;"
    ! grep -q . /proc/net/if_inet6 2>/dev/null || echo "listen [::]:$1;"
}

# The items of a setting as settings.py writes them: in lower case, without a port that the scheme has anyway, separated by
# spaces; `-` for none.
list() {
    items=$(echo "$2" | tr '[:upper:],' '[:lower:] ' | xargs -n 1 |
        sed -E 's|^(http://.*):80$|\1|; s|^(https://.*):443$|\1|')
    if echo "$items" | grep -vxEq "($3|-)?"; then
        say "$1 '$2' is not a list of such items: $4"
        exit 1
    fi
    [ -n "$items" ] || items=-
    echo "$items" | xargs
}

# Idle connections of clients outlive a reload by so much (ops/gateway.py). nginx has it since 1.27.4.
linger() {
    version=$(nginx -v 2>&1 | sed 's/.*nginx\/\([0-9.]*\).*/\1/')
    if [ "$(printf '1.27.4\n%s\n' "$version" | sort -V | head -n 1)" = 1.27.4 ]; then
        echo 'keepalive_min_timeout 20s;'
    elif [ ! -e "$run/said" ]; then
        say "nginx $version is older than 1.27.4: a client may have to repeat a request that it sends on an idle connection during a reload"
        : >"$run/said"
    fi
}

# Whose X-Forwarded-For is believed; without TRUSTED_PROXY nobody's, and a client is the address that connects.
trusted_proxy() {
    [ -n "${TRUSTED_PROXY:-}" ] || return 0
    case "$TRUSTED_PROXY" in
    *[!0-9a-fA-F.:/\ ]*)
        say "TRUSTED_PROXY '$TRUSTED_PROXY' is not a list of addresses or networks, such as: 10.0.0.0/8 192.0.2.7"
        exit 1
        ;;
    esac
    for network in $TRUSTED_PROXY; do
        echo "set_real_ip_from $network;"
    done
    echo 'real_ip_header X-Forwarded-For;'
    echo 'real_ip_recursive on;'
}

# The address of a name. On a busy machine an answer may be late once, and while a container is started anew there is none
# for a moment: the one before then stays, or nginx would be reloaded for nothing, twice.
address() {
    found=$(getent ahostsv4 "$1" 2>/dev/null | sed -n '1s/ .*//p')
    if [ -n "$found" ]; then
        echo "$found" >"$run/address-$1"
        rm -f "$run/missed-$1"
    else
        echo >>"$run/missed-$1"
        [ "$(wc -l <"$run/missed-$1")" -lt "$MISSES" ] || rm -f "$run/address-$1"
    fi
    cat "$run/address-$1" 2>/dev/null || echo "$NOBODY"
}

own_address() {
    own=$(address "$1")
    if [ "$own" = "$NOBODY" ]; then
        say "this container has no address for the name $1: connect it to the network 'inner' (docker-compose.yml)"
        exit 1
    fi
    echo "$own"
}

has_a_certificate() {
    [ -r "$given/fullchain.pem" ] && [ -r "$given/privkey.pem" ]
}

in_use() {
    if has_a_certificate; then echo "$given"; else echo "$self_signed"; fi
}

# A self-signed one, made once: the connection is encrypted, and a browser warns that nobody vouches for it.
certificate() {
    # One that ends within a month is made anew.
    ! openssl x509 -in "$1/fullchain.pem" -noout -checkend 2592000 >/dev/null 2>&1 || return 0
    name=${SERVER_NAME:-localhost}
    say "there is no certificate in var/secrets/tls: making a self-signed one for $name"
    (
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $DAYS -subj "/CN=$name" \
            -addext "subjectAltName=DNS:$name,DNS:localhost,IP:127.0.0.1" \
            -keyout "$1/privkey.pem" -out "$1/fullchain.unfinished" 2>/dev/null
    )
    mv "$1/fullchain.unfinished" "$1/fullchain.pem"
}

main "$@"
