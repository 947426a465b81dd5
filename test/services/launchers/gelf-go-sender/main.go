// Sends one message with the GELF library of Go: gelf-sender PORT udp|tcp MESSAGE
package main

import (
	"log"
	"os"
	"time"

	"github.com/Graylog2/go-gelf/gelf"
)

func main() {
	address := "127.0.0.1:" + os.Args[1]
	message := &gelf.Message{
		Version:  "1.1",
		Host:     "go-host",
		Short:    os.Args[3],
		TimeUnix: float64(time.Now().UnixNano()) / 1e9,
		Level:    6,
		Extra:    map[string]interface{}{"_client": "go-gelf", "_big": int64(9007199254740993)},
	}
	var writer gelf.Writer
	var err error
	if os.Args[2] == "tcp" {
		writer, err = gelf.NewTCPWriter(address)
	} else {
		writer, err = gelf.NewUDPWriter(address)
	}
	if err != nil {
		log.Fatal(err)
	}
	if err := writer.WriteMessage(message); err != nil {
		log.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		log.Fatal(err)
	}
}
