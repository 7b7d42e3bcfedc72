module periscan/nuclei

go 1.24.2

require github.com/projectdiscovery/nuclei/v3 v3.7.1
