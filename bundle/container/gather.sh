#!/bin/sh
# Fills a folder with the files of Debian packages that an image needs, and nothing else. Runs in the build stage.
#
#   gather.sh prepare
#   gather.sh ARCH OUT LIST [HAVE]
#
# LIST names packages (`package NAME`; `skip NAME`: do not even unpack what one depends on) and paths of theirs (`/usr/bin/git`, patterns allowed, a folder is taken whole).
# The shared libraries that those need are found and added. What HAVE (the root of another image) holds is left out.
# Packages are unpacked, never installed, so that the files of another architecture can be gathered without running them.
set -eu

say() { echo "gather: $*" >&2; }

export DEBIAN_FRONTEND=noninteractive

# A step of its own, the same for every image and architecture.
if [ "$1" = prepare ]; then
  mkdir -p /var/lib/apt/lists/partial /var/cache/apt/archives/partial
  printf '%s\n' 'Acquire::Retries "3";' 'APT::Sandbox::User "root";' >/etc/apt/apt.conf.d/80gather
  apt-get -qq update
  # readelf reads the libraries of every architecture; busybox of this machine tells its applets.
  apt-get -qq install -y --no-install-recommends binutils busybox >/dev/null 2>&1
  exit 0
fi

arch=$1 out=$2 list=$3 have=${4:-/nonexistent}
work=$(mktemp -d)

if [ "$(dpkg --print-architecture)" != "$arch" ]; then
  dpkg --add-architecture "$arch"
  apt-get -qq update
fi

fetch() {
  packages=$(sed -n 's/^package //p' "$list")
  mkdir -p "$work/debs/partial"
  : >"$work/status"
  # As if nothing were installed: the packages with everything that they depend on. Not installed, so no order matters.
  # shellcheck disable=SC2086 # a list of names
  apt-get -qq -y --no-install-recommends --download-only \
    -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o Dir::State::status="$work/status" \
    -o Dir::Cache::archives="$work/debs" -o APT::Keep-Downloaded-Packages=true \
    install $packages >/dev/null
}

unpack() {
  # As Debian's own root is: /bin, /lib, /sbin and /lib64 lead into /usr.
  for root in "$work/root" "$out"; do
    mkdir -p "$root"
    for name in bin lib sbin; do
      mkdir -p "$root/usr/$name"
      [ -e "$root/$name" ] || ln -s "usr/$name" "$root/$name"
    done
  done
  for deb in "$work"/debs/*.deb; do
    name=$(basename "${deb%%_*}")
    if grep -qx "skip $name" "$list"; then rm "$deb" && continue; fi
    dpkg-deb --fsys-tarfile "$deb" | tar -xv --keep-directory-symlink -C "$work/root" |
      sed 's#^\./##; s#^\(bin\|lib\|sbin\)/#usr/\1/#' >"$work/debs/$name.files"
  done
}

# take PATH…: below the unpacked root, without a leading slash.
take() {
  for path in "$@"; do
    [ -e "$out/$path" ] || [ -L "$out/$path" ] || [ -e "$have/$path" ] && continue
    mkdir -p "$out/$(dirname "$path")"
    cp -a "$work/root/$path" "$out/$path"
    if [ -L "$work/root/$path" ]; then follow "$path"; fi
  done
}

follow() {
  target=$(readlink "$work/root/$1")
  case $target in
  /*) target=${target#/} ;;
  *) target=$(realpath -m -s --relative-to="$work/root" "$work/root/$(dirname "$1")/$target") ;;
  esac
  if [ -e "$work/root/$target" ]; then take "$target"; fi
}

take_listed() {
  sed -n 's#^/##p' "$list" >"$work/wanted"
  while read -r pattern; do
    found=no
    for path in "$work"/root/$pattern; do
      [ -e "$path" ] || [ -L "$path" ] || continue
      found=yes
      take "${path#"$work/root/"}"
    done
    if [ $found = no ]; then
      say "no package of $list has /$pattern"
      exit 1
    fi
  done <"$work/wanted"
}

# The libraries that the programs in OUT name, and those that these name, until there is nothing new.
take_libraries() {
  while :; do
    find "$out" -type f -size +1k -exec readelf -dl {} + 2>/dev/null >"$work/elf" || true
    {
      sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' "$work/elf"
      sed -n 's#.*program interpreter: .*/\(.*\)\]$#\1#p' "$work/elf"
    } | sort -u >"$work/needed"
    new=no
    while read -r name; do
      path=$(cd "$work/root" && find usr/lib usr/lib64 lib64 -name "$name" 2>/dev/null | head -n 1)
      if [ -z "$path" ]; then
        say "no package has the library $name"
        exit 1
      fi
      if [ -e "$out/$path" ] || [ -e "$have/$path" ]; then continue; fi
      new=yes
      take "$path"
    done <"$work/needed"
    [ $new = yes ] || break
  done
}

# What lies where a program's header says, e.g. /lib64/ld-linux-x86-64.so.2.
take_loader() {
  [ -e "$have/usr/bin" ] && return
  for loader in "$work"/root/lib64/ld-*.so.* "$work"/root/lib/ld-*.so.*; do
    [ -e "$loader" ] || continue
    take "${loader#"$work/root/"}"
  done
}

# Licences, and the package records by which scanners find what is in an image that has no dpkg.
take_records() {
  mkdir -p "$out/var/lib/dpkg/status.d"
  for deb in "$work"/debs/*.deb; do
    name=$(basename "${deb%%_*}")
    used=no
    while read -r path; do
      if [ -f "$out/$path" ] && [ ! -d "$out/$path" ]; then used=yes && break; fi
    done <"$work/debs/$name.files"
    [ $used = yes ] || continue
    dpkg-deb -f "$deb" >"$out/var/lib/dpkg/status.d/$name"
    if [ -e "$work/root/usr/share/doc/$name/copyright" ]; then take "usr/share/doc/$name/copyright"; fi
  done
}

fetch
unpack
take_listed
take_loader
take_libraries
take_records
# A second copy of 4 MB otherwise.
if [ -e "$out/usr/bin/git" ]; then ln -s ../../bin/git "$out/usr/lib/git-core/git"; fi
find "$out" -depth \( -name __pycache__ -o -name test -path '*/python3*' \) -exec rm -rf {} +
if [ ! -e "$have/usr/bin/busybox" ] && [ -e "$out/usr/bin/busybox" ]; then
  for applet in $(busybox --list); do
    [ -e "$out/usr/bin/$applet" ] || [ -L "$out/usr/bin/$applet" ] || ln -s busybox "$out/usr/bin/$applet"
  done
fi
if [ -d "$work/root/usr/share/ca-certificates" ] && [ ! -e "$have/etc/ssl/certs/ca-certificates.crt" ]; then
  mkdir -p "$out/etc/ssl/certs"
  cat "$work"/root/usr/share/ca-certificates/mozilla/*.crt >"$out/etc/ssl/certs/ca-certificates.crt"
fi
rm -rf "$work"
say "$(du -sk "$out" | cut -f1) KiB for $arch"
