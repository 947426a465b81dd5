// Sends one event with IBM's fluent-forward-go: forward-go-sender PORT TAG MESSAGE MODE ack|silent [SHARED_KEY]
package main

import (
	"log"
	"os"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/client"
	"github.com/IBM/fluent-forward-go/fluent/protocol"
)

func main() {
	port, tag, message, mode, ack := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	options := client.ConnectionOptions{
		Factory:           &client.ConnFactory{Network: "tcp", Address: "127.0.0.1:" + port},
		RequireAck:        ack == "ack",
		ConnectionTimeout: 20 * time.Second,
	}
	if len(os.Args) > 6 {
		options.AuthInfo = client.AuthInfo{SharedKey: []byte(os.Args[6])}
	}
	forwarder := client.New(options)
	forwarder.Hostname = "client.local"
	must(forwarder.Connect())
	if len(os.Args) > 6 {
		must(forwarder.Handshake())
	}
	must(send(forwarder, tag, message, mode))
	must(forwarder.Disconnect())
}

func send(forwarder *client.Client, tag, message, mode string) error {
	record := map[string]interface{}{"message": message}
	entries := protocol.EntryList{{Timestamp: protocol.EventTimeNow(), Record: record}}
	switch mode {
	case "Message":
		return forwarder.SendMessage(tag, record)
	case "MessageExt":
		return forwarder.SendMessageExt(tag, record)
	case "Forward":
		return forwarder.SendForward(tag, entries)
	case "PackedForward":
		return forwarder.SendPacked(tag, entries)
	case "CompressedPackedForward":
		return forwarder.SendCompressed(tag, entries)
	}
	log.Fatal("no mode " + mode)
	return nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
