package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshServer is an SSH server on loopback that runs commands with sh and, like sshd without AllowTcpForwarding no,
// connects onward. It accepts the variables in acceptEnv alone.
type sshServer struct {
	port       int
	hostKey    string
	clientKey  string
	acceptEnv  []string
	onwardDial int
}

func newSSHServer(t *testing.T, acceptEnv ...string) *sshServer {
	t.Helper()
	hostSigner, _ := newKey(t)
	clientSigner, clientPEM := newKey(t)
	server := &sshServer{
		hostKey:   string(ssh.MarshalAuthorizedKey(hostSigner.PublicKey())),
		clientKey: clientPEM,
		acceptEnv: acceptEnv,
	}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if meta.User() == "root" && string(key.Marshal()) == string(clientSigner.PublicKey().Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		},
		PasswordCallback: func(meta ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if meta.User() == "other" && string(password) == "pass word" {
				return nil, nil
			}
			return nil, errors.New("no")
		},
	}
	config.AddHostKey(hostSigner)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	server.port = listener.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go server.serve(conn, config)
		}
	}()
	return server
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func (s *sshServer) serve(conn net.Conn, config *ssh.ServerConfig) {
	login, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	defer login.Close()
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.session(channel)
		case "direct-tcpip":
			s.onwardDial++
			go forward(channel)
		default:
			_ = channel.Reject(ssh.UnknownChannelType, "")
		}
	}
}

func forward(request ssh.NewChannel) {
	var target struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if ssh.Unmarshal(request.ExtraData(), &target) != nil {
		return
	}
	onward, err := net.Dial("tcp", net.JoinHostPort(target.Host, strconv.Itoa(int(target.Port))))
	if err != nil {
		_ = request.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer onward.Close()
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { _, _ = io.Copy(onward, channel) }()
	_, _ = io.Copy(channel, onward)
	_ = channel.Close()
}

func (s *sshServer) session(request ssh.NewChannel) {
	channel, requests, err := request.Accept()
	if err != nil {
		return
	}
	defer channel.Close()
	environment := os.Environ()
	for request := range requests {
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			accepted := ssh.Unmarshal(request.Payload, &variable) == nil && slices.Contains(s.acceptEnv, variable.Name)
			if accepted {
				environment = append(environment, variable.Name+"="+variable.Value)
			}
			_ = request.Reply(accepted, nil)
		case "exec":
			_ = request.Reply(true, nil)
			process := exec.Command("/bin/sh", "-c", string(request.Payload[4:]))
			process.Env, process.Stdin, process.Stdout, process.Stderr = environment, channel, channel, channel.Stderr()
			status := make([]byte, 4)
			if process.Run() != nil {
				status[3] = byte(process.ProcessState.ExitCode())
			}
			_, _ = channel.SendRequest("exit-status", false, status)
			return
		default:
			_ = request.Reply(strings.HasPrefix(request.Type, "signal"), nil)
		}
	}
}
