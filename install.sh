#!/bin/sh
# Installs runner: fetches a signed release, checks it, puts it beside the version that is there, switches, and has the
# service of this machine start it. `sh install.sh --help` tells the options; docs/install-vm.md the rest.
# Plain POSIX sh: dash, busybox, bash, ksh and mksh. Asks nothing.
set -eu

# Filled in by `npm run release`: who may sign what this script takes.
RELEASE_KEY='@RELEASE_KEY@'
RELEASE_VERSION='@RELEASE_VERSION@'
case $RELEASE_KEY in @*) RELEASE_KEY='' RELEASE_VERSION='' ;; esac

ETC=/etc/runner
STATE=/var/lib/runner
MADE=$ETC/.made-by-install
SAFE_PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
  cat <<HELP
sh install.sh [options]      installs or upgrades runner; the same again changes nothing

  --base-url URL       a release, or a folder of releases (URL/VERSION/, signed URL/latest); https, or http on loopback
  --from FOLDER        the same from a folder: a copied release, without any network
  --version V          exactly this version, also when it is older (default: the release, or the one that latest names)
  --public-key FILE    release.pub of whoever made the release (default: the key in a released install.sh)
  --prefix DIR         DIR/bin/runner and DIR/lib/runner (default: /usr/local)
  --mng                also install the supervisor, which updates and restarts the runner (runner-mng.service)
  --no-service         do not touch the service manager; without root this is all that can be done
  --dry-run            check the release, say what would be done, change nothing
  --uninstall          stop the service and remove the program; settings and state stay
  --purge              the same, and remove settings, state and user, if this script made them
  --help

This is the installer of release ${RELEASE_VERSION:-none}. Values may also be given as --name=value. Environment: RUNNER_RELEASE_URL (--base-url), RUNNER_VERSION (--version),
RUNNER_PREFIX (--prefix), RUNNER_PUBLIC_KEY (--public-key), RUNNER_CA_FILE (a private CA of the release host).
RUNNER_API_URL, RUNNER_ID, RUNNER_API_TOKEN or RUNNER_API_TOKEN_FILE fill a new /etc/runner/runner.env and token; with
--mng RUNNER_MNG_ID and RUNNER_MNG_API_TOKEN a new runner-mng.env (on a Nuon control plane both are one runner: leave them).

Exit codes: 0 done or nothing to do · 1 not possible on this machine (platform, tool, rights, space, service manager)
2 usage · 3 the release cannot be fetched · 4 refused: signature, checksum, version or key · 5 another install is at work
6 older than what is installed, or than this installer · 7 installed, but the service does not get healthy (an upgrade is taken back)
HELP
}

say() { printf '%s\n' "runner: $*"; }
# CODE MESSAGE [REMEDY]
die() {
  printf '%s\n' "runner: $2" >&2
  [ -z "${3-}" ] || printf '%s\n' "  → $3" >&2
  exit "$1"
}
have() { command -v "$1" >/dev/null 2>&1; }
# Between any two steps this script may be killed: the version that was there runs on, and the next install completes.
step() { [ "${RUNNER_INSTALL_STOP_AFTER-}" != "$1" ] || kill -9 $$; }

# ---- options -------------------------------------------------------------------------------------------------------

read_options() {
  BASE=${RUNNER_RELEASE_URL-} FROM='' VERSION=${RUNNER_VERSION-} PREFIX=${RUNNER_PREFIX:-/usr/local}
  KEY_FILE=${RUNNER_PUBLIC_KEY-} MNG=no SERVICE=yes DRY=no DO=install PURGE=no
  while [ $# -gt 0 ]; do
    name=${1%%=*}
    case $1 in
    --base-url=* | --from=* | --version=* | --public-key=* | --prefix=*) value=${1#*=} ;;
    --base-url | --from | --version | --public-key | --prefix)
      [ $# -gt 1 ] || die 2 "$1 needs a value" "sh install.sh --help tells the options."
      shift
      value=$1
      ;;
    *) name=$1 value='' ;;
    esac
    case $name in
    --base-url) BASE=$value FROM='' ;;
    --from) FROM=$value ;;
    --version) VERSION=$value ;;
    --public-key) KEY_FILE=$value ;;
    --prefix) PREFIX=$value ;;
    --mng) MNG=yes ;;
    --no-service) SERVICE=no ;;
    --dry-run) DRY=yes ;;
    --uninstall) DO=uninstall ;;
    --purge) DO=uninstall PURGE=yes ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) die 2 "there is no option $1" "sh install.sh --help tells the options." ;;
    esac
    shift
  done
  case $PREFIX in
  /) die 2 "--prefix / would put a program into /bin" "Name a folder such as /usr/local." ;;
  *[!0-9A-Za-z./_+-]* | [!/]* | '') die 2 "--prefix $PREFIX is no plain absolute path" "Name a folder such as /usr/local." ;;
  *) PREFIX=${PREFIX%/} ;;
  esac
  LIB=$PREFIX/lib/runner
  ROOT=no
  [ "$(id -u)" -ne 0 ] || ROOT=yes
}

check_options() {
  if [ -z "$BASE$FROM" ]; then # the script of a release folder, started where it lies
    here=$(dirname "$0")
    [ -f "$0" ] && [ -f "$here/SHA256SUMS" ] && FROM=$here
  fi
  [ -n "$BASE$FROM" ] || die 2 "it is not said where the release is" "Name it with --base-url URL or --from FOLDER."
  if [ -n "$FROM" ]; then
    FROM=$(cd "$FROM" 2>/dev/null && pwd) || die 2 "--from is no folder" "Name the folder of the release."
    BASE='' PLACE=$FROM UPDATES=''
  else
    BASE=${BASE%/} UPDATES=${BASE%/}
    # The host is what curl takes for it; what stands before it is not shown.
    PLACE=$(
      sed 's|//[^/?#]*@|//|; s|?.*||' <<EOF
$BASE
EOF
    )
    case $PLACE in
    https://*) PROTOCOLS='=https' ;;
    http://127.0.0.1 | http://127.0.0.1[:/]* | http://localhost | http://localhost[:/]* | http://\[::1\]*) PROTOCOLS='=http,https' ;;
    http://*) die 2 "releases are not fetched over http" "Use https, or copy the release and name it with --from." ;;
    *) die 2 "--base-url $PLACE is no address" "It begins with https://." ;;
    esac
    have curl || have wget ||
      die 1 "neither curl nor wget is here" "Install one of them, or copy the release and name it with --from."
    case $BASE in
    *//*@*) have curl || gnu_wget || say "warning: this wget takes the password as a word, which others here can see; curl does not" ;;
    esac
  fi
  have sha256sum || have shasum || have openssl || die 1 "nothing here computes SHA-256" "Install coreutils or openssl."
  [ -z "$VERSION" ] || plain "$VERSION" || die 2 "--version $VERSION is no version" "As in 1.2.3."
  if [ "$DO" = install ] && [ "$SERVICE" = yes ] && [ "$DRY" = no ]; then
    [ "$ROOT" = yes ] || die 1 "only root can set up a service" \
      "Use sudo, or for yourself alone: --no-service --prefix \"\$HOME/.local\"."
    service_manager_there || die 1 "no systemd is at work on this machine, so no service can be set up" \
      "Use --no-service and start $PREFIX/bin/runner run by hand or by your own service manager (runner service print)."
  fi
}

service_manager_there() { [ -d /run/systemd/system ] && have systemctl; }
# A version, as it may stand in a path and an address.
plain() { case $1 in '' | *[!0-9A-Za-z._+-]* | [!0-9A-Za-z]* | *..*) return 1 ;; esac; }

# ---- this machine --------------------------------------------------------------------------------------------------

detect_platform() {
  VARIANTS=''
  system=$(uname -s) machine=$(uname -m)
  case $system in
  Linux) OS=linux ;;
  Darwin) OS=darwin ;;
  *) die 1 "there is no runner for $system, only for Linux and macOS" "Run it on one of them, or in a container." ;;
  esac
  case $machine in
  x86_64 | amd64) ARCH=x64 ;;
  aarch64 | arm64) ARCH=arm64 ;;
  *) die 1 "there is no runner for processors of the kind $machine, only for x86_64 and arm64" ;;
  esac
  if [ "$OS" = darwin ]; then
    [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" != 1 ] || ARCH=arm64
    VARIANTS=plain
    return
  fi
  if have getconf && [ "$(getconf LONG_BIT 2>/dev/null)" = 32 ]; then
    die 1 "this is a 32-bit system, and there is no runner for those" "Use a 64-bit one."
  fi
  case $(libc) in
  musl) VARIANTS=musl ;;
  glibc)
    VARIANTS=plain
    if [ "$ARCH" = x64 ]; then
      if grep -qw avx2 /proc/cpuinfo 2>/dev/null; then VARIANTS='plain baseline'; else VARIANTS=baseline; fi
    fi
    ;;
  *) die 1 "this system has neither glibc nor musl, and there is no runner without" "Use the container image." ;;
  esac
}

libc() {
  said=$(ldd --version 2>&1 || true)
  case $said in
  *musl*) echo musl ;;
  *GLIBC* | *GNU* | *glibc*) echo glibc ;;
  *)
    for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
      [ ! -e $loader ] || { echo glibc && return; }
    done
    for loader in /lib/ld-musl-*.so.1; do
      [ ! -e "$loader" ] || { echo musl && return; }
    done
    ;;
  esac
}

sha256() {
  if have sha256sum; then sha256sum <"$1" | cut -d' ' -f1
  elif have shasum; then shasum -a 256 <"$1" | cut -d' ' -f1
  else openssl dgst -sha256 -r <"$1" | cut -d' ' -f1; fi
}

# ---- fetching ------------------------------------------------------------------------------------------------------

# FOLDER FILE INTO [KIB]: a file of the release, no larger than that. Fails, with the reason in $WHY.
get() {
  path=${1:+$1/}$2 most=${4:-4096}
  rm -f "$3"
  if [ -n "$FROM" ]; then
    WHY="there is no $FROM/$path"
    [ -f "$FROM/$path" ] || return 1
    WHY="$FROM/$path cannot be copied"
    cp "$FROM/$path" "$3" 2>"$WORK/said" || { WHY="$WHY: $(cat "$WORK/said")" && return 1; }
    return
  fi
  url=$BASE/$(printf '%s' "$path" | sed 's/+/%2B/g')
  # Nothing is known of a server yet, and it may never end. Units of 512 bytes; bash has twice that.
  if (ulimit -f $((most * 2)) && download "$url" "$3") 2>"$WORK/said"; then return; fi
  WHY="$PLACE/$path is larger than $most KiB"
  [ ! -f "$3" ] || [ "$(wc -c <"$3")" -lt $((most * 1024)) ] || return 1
  WHY="$PLACE/$path: $(tr '\n' ' ' <"$WORK/said" | sed 's#//[^/@ ]*@#//#g' | cut -c 1-300)"
  return 1
}

# An address may hold a password, and everybody sees the words of a command: it goes in by stdin.
download() {
  if have curl; then
    tries=0
    while :; do
      code=0
      curl_config "$1" | curl -fsSL -K - --proto "$PROTOCOLS" --proto-redir "$PROTOCOLS" \
        ${RUNNER_CA_FILE:+--cacert "$RUNNER_CA_FILE"} --connect-timeout 20 --speed-limit 1000 --speed-time 60 \
        --retry 2 --retry-delay 1 -C - -o "$2" || code=$?
      case $code in # cut off on the way: go on where it ended
      18 | 28 | 52 | 56 | 92) tries=$((tries + 1)) && [ $tries -lt 4 ] || return $code ;;
      *) return $code ;;
      esac
    done
  elif gnu_wget; then
    by_wget "$2" -i - <<EOF
$1
EOF
  else
    by_wget "$2" "$1"
  fi
}

curl_config() {
  sed 's/["\\]/\\&/g; s/.*/url = "&"/' <<EOF
$1
EOF
}

gnu_wget() { wget --version 2>/dev/null | grep -q GNU; }

# FILE WORDS…
by_wget() {
  into=$1 && shift
  wget -q -T 60 ${RUNNER_CA_FILE:+--ca-certificate="$RUNNER_CA_FILE"} -O "$into" "$@" || {
    code=$?
    [ -s "$WORK/said" ] || echo "wget ended with $code" >&2
    return $code
  }
}

no_page() {
  if head -c 512 "$1" | grep -qiE '<!doctype|<html'; then
    die 3 "$2 is a web page, not a file of a release" "Check the address; a proxy or a login may stand before it."
  fi
}

# The folder of the release below $BASE, and its sums in $WORK/SHA256SUMS.
find_release() {
  FOLDER='' LATEST_SUMS=''
  if [ -n "$VERSION" ]; then
    FOLDER=$VERSION
    get "$VERSION" SHA256SUMS "$WORK/SHA256SUMS" && return
    below=$WHY FOLDER=''
    get '' SHA256SUMS "$WORK/SHA256SUMS" && return
    die 3 "there is no version $VERSION at $PLACE: $below" \
      "Another version is never taken instead. Check the version and the address."
  fi
  get '' SHA256SUMS "$WORK/SHA256SUMS" && return
  here=$WHY
  get '' latest "$WORK/latest" || die 3 "there is no release at $PLACE: $here" "Check the address."
  read_latest
  get "$FOLDER" SHA256SUMS "$WORK/SHA256SUMS" ||
    die 3 "$PLACE/latest names $FOLDER, which cannot be fetched: $WHY" "Name another --version, or tell who keeps the releases."
}

# ---- checking ------------------------------------------------------------------------------------------------------

read_key() {
  KEY=$RELEASE_KEY
  if [ -n "$KEY_FILE" ]; then
    [ -r "$KEY_FILE" ] || die 2 "--public-key $KEY_FILE cannot be read" "Name the release.pub of whoever made the release."
    KEY=$(awk '/-BEGIN PUBLIC KEY-/ { n++; on = 1; next } /-END PUBLIC KEY-/ { on = 0 } on && n == 1 { printf "%s", $1 }' "$KEY_FILE")
  fi
  [ -n "$KEY" ] || [ -n "$KEY_FILE" ] || die 4 "this copy of install.sh trusts no key" \
    "Take the install.sh of a release, or name the key you trust with --public-key."
  case $KEY in # the DER head of an Ed25519 key, then 32 bytes
  MCowBQYDK2VwAyEA*) [ ${#KEY} -eq 60 ] && return ;;
  esac
  die 2 "${KEY_FILE:-the key of install.sh} is no public Ed25519 key (PEM)" "Name the release.pub of whoever made the release."
}

# Only what signs and verifies a trial with Ed25519 is asked: older ones answer with errors that look like refusals.
openssl_can() {
  have openssl && (
    cd "$WORK" && echo trial >trial && openssl genpkey -algorithm ed25519 -out trial.key &&
      openssl pkeyutl -sign -inkey trial.key -rawin -in trial -out trial.sig &&
      openssl pkey -in trial.key -pubout -out trial.pub &&
      openssl pkeyutl -verify -pubin -inkey trial.pub -rawin -in trial -sigfile trial.sig
  ) >/dev/null 2>&1
}

# The same key as OpenSSH writes it: 19 bytes of head, whose last one shifts the base64 of the key by eight bits.
ssh_key() {
  awk -v key="${KEY#????????????????}" 'BEGIN {
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (i = 1; i <= 43; i++) {
      bits = index(letters, substr(key, i, 1)) - 1
      out = out substr(letters, last % 4 * 16 + int(bits / 4) + 1, 1)
      last = bits
    }
    print "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" out
  }'
}

# MESSAGE [REMEDY]
refuse() { die 4 "$1" "Nothing was installed. ${2-Fetch the release again from where it was published; if that does not help, tell whoever made it.}"; }

find_checker() {
  if openssl_can; then CHECKER=openssl SIGNATURE=sig
  elif have ssh-keygen && ssh-keygen -Y verify 2>&1 | grep -q 'verify'; then CHECKER=ssh-keygen SIGNATURE=sshsig
  else die 1 "nothing here can check an Ed25519 signature" "Install openssl 3 or an OpenSSH client (8.1 or later)."; fi
}

# FILE: whether FILE.$SIGNATURE is the key's signature of it.
signed() {
  if [ "$CHECKER" = openssl ]; then
    printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$KEY" >"$WORK/key.pem"
    openssl pkeyutl -verify -pubin -inkey "$WORK/key.pem" -rawin -in "$1" -sigfile "$1.sig"
  else
    echo "release $(ssh_key)" >"$WORK/signers"
    ssh-keygen -Y verify -f "$WORK/signers" -I release -n runner-release -s "$1.sshsig" <"$1"
  fi >/dev/null 2>&1
}

# What is signed in URL/latest are its lines before the signatures. Sets FOLDER and what its SHA256SUMS has to be.
read_latest() {
  latest=$WORK/latest said=$WORK/latest.said
  no_page "$latest" "$PLACE/latest"
  grep -q '^signature ' "$latest" || refuse "$PLACE/latest is not signed" "Name a --version, or tell who keeps the releases."
  sed '/^signature /,$d' "$latest" >"$said"
  if [ "$CHECKER" = openssl ]; then sed -n 's/^signature //p' "$latest" | openssl base64 -d -A >"$said.sig" 2>/dev/null || true
  else sed -n '/^-----BEGIN/,$p' "$latest" >"$said.sshsig"; fi
  signed "$said" || refuse "the signature of $PLACE/latest is not by the trusted key"
  FOLDER=$(sed -n 's/^version //p' "$said") LATEST_SUMS=$(sed -n 's/^sums //p' "$said")
  plain "$FOLDER" || refuse "$PLACE/latest does not name a version"
}

check_signature() {
  sums=$WORK/SHA256SUMS
  no_page "$sums" "$PLACE/${FOLDER:+$FOLDER/}SHA256SUMS"
  get "$FOLDER" "SHA256SUMS.$SIGNATURE" "$sums.$SIGNATURE" ||
    die 3 "the release has no signature for $CHECKER: $WHY" "Fetch the whole release."
  signed "$sums" || refuse "the signature of $PLACE/${FOLDER:+$FOLDER/}SHA256SUMS is not by the trusted key"
  [ -z "$LATEST_SUMS" ] || [ "$(sha256 "$sums")" = "$LATEST_SUMS" ] ||
    refuse "$PLACE/$FOLDER is not the release that latest was signed for"
}

sum_of() { awk -v file="$1" '$2 == file { print $1 }' "$WORK/SHA256SUMS"; }

# PATH NAME [SIZE]: a fetched file against its signed checksum.
check_file() {
  wanted=$(sum_of "$2")
  [ -n "$wanted" ] || refuse "SHA256SUMS has no checksum of $2"
  [ "$(sha256 "$1")" = "$wanted" ] && return
  no_page "$1" "$PLACE/${FOLDER:+$FOLDER/}$2"
  size=$(wc -c <"$1" | tr -d ' ')
  if [ -n "${3-}" ] && [ "$size" -lt "$3" ]; then
    die 3 "$2 came truncated: $size of $3 bytes" "Nothing was installed. Try again."
  fi
  refuse "$2 is not what was signed: its SHA-256 differs"
}

check_release() {
  check_signature
  awk 'NF != 2 || length($1) != 64 || $1 ~ /[^0-9a-f]/ || seen[$2]++ { bad = 1 } END { exit bad || NR == 0 }' \
    "$WORK/SHA256SUMS" || refuse "SHA256SUMS of the release cannot be read"
  get "$FOLDER" release.json "$WORK/release.json" || die 3 "the release is not whole: $WHY" "Fetch the whole release."
  check_file "$WORK/release.json" release.json
  tr -d ' \n\r\t' <"$WORK/release.json" | tr '{' '\n' >"$WORK/release.lines"
  found=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' "$WORK/release.lines" | head -n 1)
  plain "$found" || refuse "release.json names no version"
  if [ -n "$VERSION" ] && [ "$found" != "$VERSION" ]; then
    die 4 "$PLACE${FOLDER:+/$FOLDER} holds version $found, not $VERSION" \
      "Another version is never taken instead. Check the version and the address."
  fi
  NEW=$found FILE=''
  for variant in $VARIANTS; do
    name=runner_${NEW}_${OS}_$ARCH
    [ "$variant" = plain ] || name=${name}_$variant
    if grep -qF "\"file\":\"$name\"" "$WORK/release.lines"; then FILE=$name && break; fi
  done
  [ -n "$FILE" ] || die 1 "release $NEW has no program for this machine: $OS $ARCH, $(echo "$VARIANTS" | sed 's/ / or /; s/plain/the usual build/')" \
    "It has: $(sed -n 's/.*"file":"\(runner_[^"]*\)".*/\1/p' "$WORK/release.lines" | tr '\n' ' ')"
  [ -n "$(sum_of "$FILE")" ] || refuse "SHA256SUMS has no checksum of $FILE"
  SIZE=$(grep -F "\"file\":\"$FILE\"" "$WORK/release.lines" | sed -n 's/.*"size":\([0-9]*\).*/\1/p')
  [ -n "$SIZE" ] || refuse "release.json does not tell the size of $FILE"
}

# ---- what is there -------------------------------------------------------------------------------------------------

# LINK: the version it names, nothing when it names none.
named() {
  [ -L "$1" ] || return 0
  target=$(readlink "$1")
  case $target in versions/*) printf '%s' "${target#versions/}" ;; esac
}

# Whether version $1 is older than $2; what follows a plus does not count.
older() {
  awk -v a="${1%%+*}" -v b="${2%%+*}" '
    function core(v) { sub(/-.*/, "", v); return v }
    function pre(v) { return index(v, "-") ? substr(v, index(v, "-") + 1) : "" }
    function order(x, y, missing,   p, q, n, m, i, l, r) {
      n = split(x, p, "."); m = split(y, q, ".")
      for (i = 1; i <= (n > m ? n : m); i++) {
        l = i <= n ? p[i] : missing; r = i <= m ? q[i] : missing
        if (l ~ /^[0-9]+$/ && r ~ /^[0-9]+$/) { if (l + 0 != r + 0) return l + 0 < r + 0 ? -1 : 1 }
        else if (l ~ /^[0-9]+$/) return r == "" ? 1 : -1
        else if (r ~ /^[0-9]+$/) return l == "" ? -1 : 1
        else if (l "" != r "") return l "" < r "" ? -1 : 1
      }
      return 0
    }
    BEGIN {
      found = order(core(a), core(b), "0")
      if (!found && pre(a) != pre(b)) found = pre(a) == "" ? 1 : pre(b) == "" ? -1 : order(pre(a), pre(b), "")
      exit found >= 0
    }'
}

# Whoever serves the releases may offer an old one as the newest: it has a signature too.
check_age() {
  if [ -z "$VERSION" ] && plain "$RELEASE_VERSION" && older "$NEW" "$RELEASE_VERSION"; then
    die 6 "$PLACE offers version $NEW, older than this installer of $RELEASE_VERSION" "To take it all the same: --version $NEW"
  fi
}

survey() {
  OLD=$(named "$LIB/current")
  [ -z "$OLD" ] || [ -x "$LIB/versions/$OLD/runner" ] || OLD=''
  if [ -e "$PREFIX/bin/runner" ] || [ -L "$PREFIX/bin/runner" ]; then
    [ "$(readlink "$PREFIX/bin/runner" 2>/dev/null)" = ../lib/runner/current/runner ] ||
      die 1 "$PREFIX/bin/runner is there and was not installed by this script" "Move it away, or name another --prefix."
  fi
  if [ -n "$OLD" ] && [ -z "$VERSION" ] && older "$NEW" "$OLD"; then
    die 6 "version $OLD is installed, which is newer than $NEW" "To go back all the same: --version $NEW"
  fi
}

# Hashed once while the file is the same: 120 MB take a second.
staged() {
  [ -x "$LIB/versions/$NEW/runner" ] || return 1
  seen=$(ls -lin "$LIB/versions/$NEW/runner")
  [ "$seen" != "$HASHED" ] || return 0
  [ "$(sha256 "$LIB/versions/$NEW/runner")" = "$(sum_of "$FILE")" ] && HASHED=$seen
}
in_place() { [ "$OLD" = "$NEW" ] && staged; }

# Free KiB of the folder that would hold $1.
free_kib() {
  folder=$1
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  df -Pk "$folder" 2>/dev/null | awk 'END { print $(NF - 2) }'
}

check_space() {
  need=$((SIZE / 1024 + 8192)) free=$(free_kib "$LIB")
  case $free in '' | *[!0-9]*) return ;; esac
  [ "$free" -ge "$need" ] || die 1 "$PREFIX has $((free / 1024)) MiB free, $((need / 1024)) MiB are needed" \
    "Nothing was installed. Make space, or name another --prefix."
}

# ---- one at a time -------------------------------------------------------------------------------------------------

# PID: what tells this process from a later one with the same number.
birth() {
  if [ -r "/proc/$1/stat" ]; then
    echo "$(cat /proc/sys/kernel/random/boot_id 2>/dev/null) $(sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f20)"
  else ps -o lstart= -p "$1" 2>/dev/null || true; fi
}

# Whether who wrote the lock, "PID BIRTH", lives.
lives() {
  pid=${1%% *}
  [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ "$(birth "$pid")" = "${1#* }" ]
}

not_writable() { die 1 "$PREFIX cannot be written${1:+: $1}" "Use sudo, or name another --prefix."; }

lock() {
  made=''
  for folder in "$PREFIX" "$PREFIX/lib" "$PREFIX/bin"; do [ -d "$folder" ] || made="$folder $made"; done
  mkdir -p "$LIB/versions" "$PREFIX/bin" 2>"$WORK/said" || not_writable "$(cat "$WORK/said")"
  if ! [ -w "$LIB" ] || ! [ -w "$PREFIX/bin" ]; then not_writable ''; fi
  mine=$LIB/.lock-$$ waited=0 nobody=0
  # A hard link appears with its content or not at all. Who holds the lock sweeps away what waits for it.
  until { [ -s "$mine" ] || echo "$$ $(birth $$)" >"$mine" || not_writable ''; } && ln "$mine" "$LIB/.lock" 2>"$WORK/said"; do
    other=$(cat "$LIB/.lock" 2>/dev/null || true)
    if [ -n "$other" ] && ! lives "$other"; then
      mv -f "$LIB/.lock" "$mine.dead" 2>/dev/null || continue
      # Somebody quicker may have done the same, and this be his.
      [ "$(cat "$mine.dead")" = "$other" ] || ln "$mine.dead" "$LIB/.lock"
      rm -f "$mine.dead"
      continue
    fi
    if [ -n "$other" ]; then nobody=0; else nobody=$((nobody + 1)); fi
    [ $nobody -lt 4 ] || { rm -f "$mine" && not_writable "$(cat "$WORK/said")"; }
    [ $waited -gt 0 ] || [ -z "$other" ] || say "another install (process ${other%% *}) is at work; waiting for it"
    waited=$((waited + 1))
    if [ $waited -gt "${RUNNER_INSTALL_WAIT:-120}" ]; then
      rm -f "$mine"
      die 5 "another install (process ${other%% *}) is still at work" "Try again when it is done."
    fi
    sleep 1
  done
  LOCKED=yes
  rm -f "$mine"
  for folder in $made; do echo "$folder" >>"$LIB/.folders-made"; done
}

finish() {
  code=$?
  trap - EXIT HUP INT TERM
  rm -rf "$WORK"
  if [ "$LOCKED" = yes ]; then
    rm -rf "$LIB/versions/.incoming-$$"
    rm -f "$LIB/.lock"
    # Nothing half made: of a first install that failed the folders go too.
    if [ $code -ne 0 ] && [ ! -e "$LIB/current" ]; then remove_folders; fi
  fi
  exit $code
}

remove_folders() {
  made=$(cat "$LIB/.folders-made" 2>/dev/null || true)
  rm -f "$LIB/.folders-made"
  rmdir "$LIB/versions" "$LIB" 2>/dev/null || true
  for folder in $(printf '%s\n' "$made" | sort -r); do rmdir "$folder" 2>/dev/null || true; done
}

# ---- the program ---------------------------------------------------------------------------------------------------

# A program with nothing of this environment: what is said to this script is none of its business.
clean() { env -i PATH="$PATH" HOME=/nonexistent "$@"; }
flush() { sync "$@" 2>/dev/null || sync; }

# TARGET LINK: by one rename, so that there is always one.
point() {
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 0
  aside=$(dirname "$2")/.$(basename "$2").$$
  rm -f "$aside"
  ln -s "$1" "$aside"
  # A link to a folder would be moved into: GNU and busybox know -T, the BSDs and macOS -h.
  mv -fT "$aside" "$2" 2>/dev/null || mv -fh "$aside" "$2" 2>/dev/null || { ln -sfn "$1" "$2" && rm -f "$aside"; }
  flush "$(dirname "$2")"
}

fetch_program() {
  incoming=$LIB/versions/.incoming-$$
  mkdir "$incoming"
  step lock
  say "fetching version $NEW ($FILE, $((SIZE / 1048576)) MiB) from $PLACE"
  get "$FOLDER" "$FILE" "$incoming/runner" $((SIZE / 1024 + 1)) || die 3 "the program cannot be fetched: $WHY" "Nothing was installed. Try again."
  step fetch
  check_file "$incoming/runner" "$FILE" "$SIZE"
  chmod 0755 "$incoming" "$incoming/runner"
  step verify
  said=$(clean "$incoming/runner" version </dev/null 2>"$WORK/said") ||
    die 1 "the program does not run here: $(head -n 3 "$WORK/said")" "$(smoke_remedy)"
  [ "$said" = "$NEW" ] || refuse "the program says that it is $said, not $NEW"
  step smoke
  flush "$incoming/runner"
  if [ -d "$LIB/versions/$NEW" ]; then
    mv -f "$incoming/runner" "$LIB/versions/$NEW/runner"
    rmdir "$incoming"
  else mv "$incoming" "$LIB/versions/$NEW"; fi
  flush "$LIB/versions"
  step stage
}

smoke_remedy() {
  case $FILE in
  *_musl) echo "Nothing was installed. It needs libstdc++ and libgcc: apk add libstdc++ libgcc" ;;
  *) echo "Nothing was installed. Check that $LIB is not mounted noexec and that this system is recent enough." ;;
  esac
}

switch() {
  if [ -n "$OLD" ] && [ "$OLD" != "$NEW" ]; then point "versions/$OLD" "$LIB/previous"; fi
  step previous
  point "versions/$NEW" "$LIB/current"
  step current
  CHANGED=yes
}

link_program() {
  [ -L "$PREFIX/bin/runner" ] || CHANGED=yes
  point ../lib/runner/current/runner "$PREFIX/bin/runner"
  step bin
}

prune() {
  kept=$(named "$LIB/previous")
  for folder in "$LIB"/versions/*; do
    case ${folder##*/} in "$NEW" | "$kept") ;; *) rm -rf "$folder" ;; esac
  done
  rm -rf "$LIB"/versions/.incoming-* "$LIB"/.lock-*
}

# ---- user, settings, service ---------------------------------------------------------------------------------------

made() { grep -qx "$1" "$MADE" 2>/dev/null; }
note() { made "$1" || echo "$1" >>"$MADE"; }

make_user() {
  if ! grep -q '^runner:' /etc/passwd && ! have useradd && ! have adduser; then
    say "warning: nothing on this system makes users; make one for the runner, which should not work as root"
    return
  fi
  if ! grep -q '^runner:' /etc/group; then
    note group
    if have groupadd; then groupadd --system runner; else addgroup -S runner; fi
    CHANGED=yes
  fi
  if grep -q '^runner:' /etc/passwd; then
    ! id -Gn runner | grep -qwE 'root|docker|sudo|wheel' ||
      say "warning: the user runner was here before and is in the groups $(id -Gn runner): its jobs may become root"
  else
    note user
    shell=/usr/sbin/nologin
    [ -x $shell ] || shell=/sbin/nologin
    [ -x $shell ] || shell=/bin/false
    if have useradd; then useradd --system --gid runner --home-dir $STATE --no-create-home --shell $shell --comment runner runner
    else adduser -S -D -H -h $STATE -s $shell -G runner -g runner runner; fi
    CHANGED=yes
  fi
}

# FILE: from standard input, by rename, root's alone.
secret_file() {
  (umask 077 && cat >"$1.$$") && flush "$1.$$" && mv -f "$1.$$" "$1"
}

# NAME VALUE EXAMPLE: a line of settings, commented out with the example while there is no value.
setting() { if [ -n "$2" ]; then echo "$1=$2"; else echo "#$1=$3"; fi; }

# API_URL ID RELEASE_URL PUBLIC_KEY
env_file() {
  echo "# Settings of the runner on this machine, read by its service: NAME=value, one a line. \`runner run --help\` tells"
  echo "# all of them, \`runner doctor\` checks them. install.sh writes this file once; its newest form is runner.env.dist."
  echo "#"
  echo "# The control plane, and who this runner is there. Its token is the one line of /etc/runner/token (root's, 0600)."
  setting RUNNER_API_URL "$1" https://control-plane.example
  setting RUNNER_ID "$2" run...
  echo "# Where updates come from, and who may sign them (without: the key in the program)."
  setting RUNNER_RELEASE_URL "$3" https://releases.example/runner
  setting RUNNER_PUBLIC_KEY "$4" $ETC/release.pub
  echo "# A private CA of the control plane; a proxy."
  setting RUNNER_CA_FILE "${RUNNER_CA_FILE-}" $ETC/ca.pem
  setting HTTPS_PROXY '' http://proxy.example:3128
}

make_settings() {
  if [ ! -d $ETC ]; then mkdir -m 0755 $ETC && note etc; fi
  make_user
  step user
  if [ ! -d $STATE ]; then mkdir -m 0755 $STATE && note state; fi # root's: what lies in it belongs to its own unit
  step folders
  env_file '' '' '' '' | secret_file $ETC/runner.env.dist
  if [ -n "$KEY_FILE" ] && [ ! -e $ETC/release.pub ]; then secret_file $ETC/release.pub <"$KEY_FILE" && chmod 0644 $ETC/release.pub; fi
  if [ ! -e $ETC/runner.env ]; then
    env_file "${RUNNER_API_URL-}" "${RUNNER_ID-}" "$UPDATES" "${KEY_FILE:+$ETC/release.pub}" | secret_file $ETC/runner.env
    CHANGED=yes
  fi
  step env
  if [ ! -e $ETC/token ]; then
    # Not by printf, which is a program to mksh: others would see its arguments.
    if [ -n "${RUNNER_API_TOKEN-}" ]; then
      secret_file $ETC/token <<TOKEN
$RUNNER_API_TOKEN
TOKEN
    elif [ -n "${RUNNER_API_TOKEN_FILE-}" ]; then secret_file $ETC/token <"$RUNNER_API_TOKEN_FILE"; fi
  fi
  if [ $MNG = yes ] && [ -n "${RUNNER_MNG_ID-}" ] && [ ! -e $ETC/runner-mng.env ]; then
    {
      echo "# The supervisor is a runner of its own on the control plane; the rest is as in runner.env."
      echo "RUNNER_ID=$RUNNER_MNG_ID"
      echo "RUNNER_API_TOKEN=${RUNNER_MNG_API_TOKEN-}"
    } | secret_file $ETC/runner-mng.env
    CHANGED=yes
  fi
  step token
}

check_settings() {
  for value in "${RUNNER_API_URL-}" "${RUNNER_ID-}" "${RUNNER_API_TOKEN-}" "${RUNNER_MNG_ID-}" "${RUNNER_MNG_API_TOKEN-}"; do
    case $value in
    *[[:cntrl:]\'\"\\\ ]*) die 2 "RUNNER_API_URL, RUNNER_ID or a token holds a space, a quote or a line break" "Give the plain value." ;;
    esac
  done
  [ -z "${RUNNER_API_TOKEN_FILE-}" ] || [ -r "$RUNNER_API_TOKEN_FILE" ] ||
    die 2 "RUNNER_API_TOKEN_FILE, $RUNNER_API_TOKEN_FILE, cannot be read" "Name a file with the token on one line."
}

configured() {
  grep -q '^RUNNER_CONFIG=.' $ETC/runner.env || {
    grep -q '^RUNNER_API_URL=.' $ETC/runner.env && grep -q '^RUNNER_ID=.' $ETC/runner.env &&
      { [ -s $ETC/token ] || grep -q '^RUNNER_API_TOKEN=.' $ETC/runner.env; }
  }
}

service() { clean "$PREFIX/bin/runner" service "$@" >"$WORK/said" 2>&1; }
# Where the runner is an image, the program is its supervisor only: runner.service would end that one.
units() {
  set --
  [ -e /etc/systemd/system/multi-user.target.wants/runner-image.service ] || set -- runner.service
  [ "$MNG" = no ] || set -- "$@" runner-mng.service
  echo "$@"
}
mode_of() { if [ "$1" = runner-mng.service ]; then echo '--mode mng'; fi; }

set_up_service() {
  start='' before=$(running_old)
  configured || start=--no-start
  for unit in $(units); do
    # shellcheck disable=SC2046,SC2086 # options, or none
    service install $(mode_of "$unit") --prefix "$PREFIX" $start ||
      die 7 "the service cannot be set up: $(cat "$WORK/said")" "Version $NEW stays installed. Mend it, then run install.sh again."
    grep -q '^nothing to write' "$WORK/said" || CHANGED=yes
    ! grep -q 'was started;' "$WORK/said" || CHANGED=yes
    step "service-$unit"
  done
  if [ -n "$start" ]; then
    say "version $NEW is installed and its service set up, but not started"
    say "  → fill in $ETC/runner.env and $ETC/token, then run install.sh again"
    return
  fi
  for unit in $before; do
    say "restarting $unit: what runs may end first"
    restart "$unit"
  done
  step restart
  if wait_healthy; then
    say "the service is healthy: version $NEW"
    return
  fi
  why=$(head -n 20 "$WORK/said")
  if clean "$PREFIX/bin/runner" service status --json 2>/dev/null | grep -q '"ready":true'; then
    die 7 "version $NEW runs, but its control plane does not answer: $why" "Check RUNNER_API_URL, RUNNER_ID and the token: $PREFIX/bin/runner doctor"
  fi
  see="journalctl -u runner -n 50"
  if [ "$SWITCHED" = no ] || [ -z "$OLD" ] || [ "$OLD" = "$NEW" ]; then
    die 7 "the service of version $NEW does not get healthy: $why" "It is installed. Why: $see; then $PREFIX/bin/runner doctor"
  fi
  point "versions/$OLD" "$LIB/current"
  for unit in $(units); do restart "$unit"; done
  wait_healthy || die 7 "version $NEW did not get healthy, nor does $OLD now: $why" "Why: $see; then $PREFIX/bin/runner doctor"
  die 7 "version $NEW did not get healthy, version $OLD runs again: $why" "Why: $see"
}

# Not `systemctl restart`: it would wait for a program that never says it is ready.
restart() {
  systemctl stop "$1" || true
  systemctl start --no-block "$1" || true
}

# Services that run with another version: they drain, then start with the new one. Without a switch just now (an install
# that was killed after its own) the running program tells.
running_old() {
  for unit in $(systemctl list-units --plain --no-legend --state=active runner.service 'runner@*.service' runner-mng.service | awk '{ print $1 }'); do
    if [ "$SWITCHED" = no ]; then
      program=$(readlink "/proc/$(systemctl show -p MainPID --value "$unit")/exe" 2>/dev/null) || continue
      [ "$program" != "$LIB/versions/$NEW/runner" ] || continue
    fi
    echo "$unit"
  done
}

wait_healthy() {
  for unit in $(units); do
    # shellcheck disable=SC2046 # an option, or none
    service status $(mode_of "$unit") --wait "${RUNNER_INSTALL_HEALTHY:-60}" || return 1
  done
}

# ---- the whole -----------------------------------------------------------------------------------------------------

tell_plan() {
  say "would install version $NEW ($FILE, $((SIZE / 1048576)) MiB) from $PLACE into $PREFIX"
  if [ -z "$OLD" ]; then say "  no version is installed there"; elif in_place; then say "  it is installed already"
  else say "  version $OLD is there, and would be kept as the previous one"; fi
  if [ "$ROOT" = yes ]; then say "  with user runner, $ETC/runner.env (kept if it is there) and $STATE"; fi
  if [ "$SERVICE" = yes ]; then say "  and set up, start and await the service $(units)"
  else say "  without a service"; fi
}

install() {
  detect_platform
  read_key
  check_settings
  find_checker
  find_release
  check_release
  check_age
  survey
  if [ "$DRY" = yes ]; then tell_plan && return; fi
  staged || check_space
  lock
  survey # another install may have come first
  SWITCHED=no
  if ! in_place; then
    staged || fetch_program
    switch
    SWITCHED=yes
  fi
  link_program
  if [ "$ROOT" = yes ]; then make_settings; fi
  prune
  if [ "$SERVICE" = yes ]; then
    set_up_service
  elif [ "$CHANGED" = yes ]; then
    say "installed version $NEW: $PREFIX/bin/runner"
    say "  → start it with: $PREFIX/bin/runner run --mode install (settings: $PREFIX/bin/runner run --help)"
  fi
  [ "$CHANGED" = yes ] || say "version $NEW is already installed; nothing was changed"
}

uninstall() {
  if [ "$DRY" = yes ]; then
    say "would stop the service and remove $LIB and $PREFIX/bin/runner; $ETC and $STATE $([ $PURGE = yes ] && echo "would go too" || echo "stay")"
    return
  fi
  there=no
  if [ -d "$LIB" ]; then
    there=yes
    [ -w "$LIB" ] || die 1 "$LIB cannot be written" "Use sudo."
    lock
    if [ "$SERVICE" = yes ] && [ "$ROOT" = yes ] && [ -x "$PREFIX/bin/runner" ] && service_manager_there; then
      service uninstall || die 7 "the service cannot be removed: $(cat "$WORK/said")" "Nothing was removed. Stop it, then try again."
    fi
    if [ "$(readlink "$PREFIX/bin/runner" 2>/dev/null)" = ../lib/runner/current/runner ]; then rm -f "$PREFIX/bin/runner"; fi
    rm -rf "$LIB/versions" "$LIB/current" "$LIB/previous" "$LIB"/.current.* "$LIB"/.previous.* "$LIB"/.lock*
    LOCKED=no
    remove_folders
  fi
  if [ $PURGE = yes ]; then purge; fi
  if [ $there = no ] && [ "$CHANGED" = no ]; then say "nothing of it is installed in $PREFIX" && return; fi
  if [ $PURGE = yes ]; then say "removed the program, its settings and its state"
  else say "removed the program; $ETC and $STATE stay (--purge removes them)"; fi
}

# Only what this script made.
purge() {
  [ "$ROOT" = yes ] && [ -f $MADE ] || return 0
  CHANGED=yes
  if made state; then rm -rf $STATE; elif [ -d $STATE ]; then say "$STATE was there before and stays"; fi
  if made user; then { if have userdel; then userdel runner; else deluser runner; fi; } || say "the user runner stays: a process of it lives"; fi
  if made group && grep -q '^runner:' /etc/group; then { if have groupdel; then groupdel runner; else delgroup runner; fi; } || true; fi
  if made etc; then rm -rf $ETC; else rm -f $ETC/runner.env $ETC/runner.env.dist $ETC/token $ETC/release.pub $ETC/runner-mng.env $MADE && say "$ETC was there before and stays"; fi
}

main() {
  PATH=$SAFE_PATH
  export PATH
  umask 022
  LOCKED=no CHANGED=no HASHED=''
  read_options "$@"
  if [ "$DO" = install ]; then check_options; fi
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/runner-install.XXXXXX") || die 1 "no temporary folder can be made" "Set TMPDIR to one that can be written."
  trap finish EXIT
  trap 'exit 130' HUP INT TERM
  "$DO"
}

# Called on the last line only: a script that came truncated does nothing.
main "$@"
