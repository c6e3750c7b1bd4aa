// Package execution has what the local and the remote command share: the inputs that say what to run and when, and the
// capture of what it prints.
package execution

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
)

// Names of the variables that hand a run the output of the run before it.
const (
	PreviousStdout = "PULUMI_COMMAND_STDOUT"
	PreviousStderr = "PULUMI_COMMAND_STDERR"
)

// Steps are the inputs common to all commands.
type Steps struct {
	Triggers *[]any  `pulumi:"triggers,optional" provider:"replaceOnChanges"`
	Create   *string `pulumi:"create,optional"`
	Update   *string `pulumi:"update,optional"`
	Delete   *string `pulumi:"delete,optional"`
}

// Annotate describes the inputs in the schema.
func (s *Steps) Annotate(a infer.Annotator) {
	a.Describe(&s.Triggers, "A change of any of these values replaces the resource.")
	a.Describe(&s.Create, "What to run when the resource is created; also on a change of inputs where update is absent.")
	a.Describe(&s.Update, "What to run when an input has changed.")
	a.Describe(&s.Delete, "What to run when the resource is deleted.")
}

// OnUpdate is what a change of inputs runs, nil for nothing.
func (s *Steps) OnUpdate() *string {
	if s.Update != nil {
		return s.Update
	}
	return s.Create
}

// Capture keeps what a command prints and passes it, line by line and where wanted, to the engine's log.
// A log line is a status message: it shows beside the resource and is not kept.
type Capture struct {
	// Stdout and Stderr are to be given to the command.
	Stdout, Stderr io.Writer

	stdout, stderr, both bytes.Buffer
	log                  *io.PipeWriter
	logged               chan struct{}
}

// NewCapture starts a capture, which must be ended by Close.
func NewCapture(ctx context.Context, logStdout, logStderr bool) *Capture {
	reader, writer := io.Pipe()
	c := &Capture{log: writer, logged: make(chan struct{})}
	both := &lockedWriter{to: &c.both}
	c.Stdout = tee(logStdout, writer, &c.stdout, both)
	c.Stderr = tee(logStderr, writer, &c.stderr, both)
	go func() {
		defer close(c.logged)
		logger := p.GetLogger(ctx)
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			logger.InfoStatus(lines.Text())
		}
		// A line too long for the scanner ends the log, not the command.
		_, _ = io.Copy(io.Discard, reader)
	}()
	return c
}

// Close ends the capture once the command has ended, and returns its output without the last newline, or the
// command's error together with its text and everything that it printed.
func (c *Capture) Close(command string, err error) (stdout, stderr string, _ error) {
	_ = c.log.Close()
	<-c.logged
	if err != nil {
		return "", "", fmt.Errorf("%w: running %q:\n%s", err, command, c.both.String())
	}
	return strings.TrimSuffix(c.stdout.String(), "\n"), strings.TrimSuffix(c.stderr.String(), "\n"), nil
}

func tee(logged bool, log io.Writer, writers ...io.Writer) io.Writer {
	if logged {
		writers = append(writers, log)
	}
	return io.MultiWriter(writers...)
}

// lockedWriter lets stdout and stderr write to one buffer at the same time.
type lockedWriter struct {
	mu sync.Mutex
	to io.Writer
}

func (w *lockedWriter) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(data)
}
