#!/bin/sh
# PowerHA, custom application monitor of site @SITE@: 0 while a cjcpw of the site lives here and answers.
# In maintenance, too: then cjcpw is alone, and the site must not be moved.

site='@SITE@'
nqs='@NQS@'

case $("$nqs/cluster/cjcls" --state "$site") in
up | maintenance | starting | stopping) exit 0 ;;
esac
exit 1
