# shellcheck shell=sh
# The recording belongs to whoever records: a folder that is there already is left as it is.
rolling=/storage/pcaps/rolling
if [ "$1" = configure ] && [ ! -e "$rolling" ]; then
    install -d -o pcapx-recorder -g ntop -m 0750 "$rolling"
fi
# n2disk's file where n2disk is or was, ours where there is none. It cannot be a conffile: two packages use the name.
options=/etc/n2disk/n2disk.conf
if [ "$1" = configure ]; then
    owner=$(ucfq --with-colons "$options" | cut -d: -f2)
    if [ "$owner" = pcapx-recorder ] || [ ! -e "$options" ]; then
        mkdir -p /etc/n2disk
        ucf --debconf-ok /usr/share/pcapx/n2disk.conf "$options"
        ucfr pcapx-recorder "$options"
    fi
fi
