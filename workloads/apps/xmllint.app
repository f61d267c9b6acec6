# xmllint.app - an XML document parsed into a tree, queried and written.
version: 1
summary: xmllint: a document of 19 MB parsed into a tree, reformatted and written
source: written for Heapyard, after the 18 MB parse that allocator studies use; a tree of small nodes, freed at the end in one go
packages: libxml2-utils
needs: xmllint
program: xmllint
setup: awk 'BEGIN { x = 4141; print "<items>"; for (i = 0; i < 150000; i++) { x = (x * 16807) % 2147483647; printf "<item id=\"%d\" kind=\"k%d\"><name>n%d</name><price c=\"e\">%d</price><note>%s</note></item>\n", i, x % 13, x % 9973, x % 500, substr("lorem ipsum dolor sit amet consectetur", 1, x % 38) } print "</items>" }' >items.xml
command: xmllint --format items.xml
output: same
score: cpu
