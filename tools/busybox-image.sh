#!/bin/sh
# busybox-image.sh FILE: write the file system of a small image as a tar, made of the machine's static busybox.
set -eu
out=$1
busybox=$(command -v busybox)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
for dir in bin dev etc etc/network home lib media mnt opt proc run sbin srv sys usr usr/bin usr/sbin var var/log var/run var/spool var/www; do
    mkdir -p "$root/$dir"
done
mkdir -m 1777 "$root/tmp" "$root/var/tmp"
mkdir -m 700 "$root/root"
cp "$busybox" "$root/bin/busybox"
chmod 755 "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln "$root/bin/busybox" "$root/bin/$applet"
done
ln -s /bin/env "$root/usr/bin/env"
cat > "$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
PASSWD
cat > "$root/etc/group" <<'GROUP'
root:x:0:
daemon:x:1:
bin:x:2:
www-data:x:33:
nogroup:x:65534:
GROUP
printf 'NAME="BusyBox"\nID=busybox\nPRETTY_NAME="BusyBox from Debian"\n' > "$root/etc/os-release"
echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' > "$root/etc/profile"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
tar --owner=0 --group=0 --numeric-owner --sort=name -C "$root" -cf "$out" .
