// Package remote implements the resource command:remote:Command: a command that runs on another host through SSH.
package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	p "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"secure-backups/toolchain/command/internal/execution"
)

// Command is the resource.
type Command struct{}

// Annotate describes the resource in the schema.
func (c *Command) Annotate(a infer.Annotator) {
	a.Describe(&c, "A command that runs on a remote host through SSH when the resource is created, updated or deleted.")
}

// CommandInputs are the resource's inputs.
type CommandInputs struct {
	execution.Steps
	Stdin                  *string           `pulumi:"stdin,optional"`
	Logging                *Logging          `pulumi:"logging,optional"`
	Connection             *Connection       `pulumi:"connection"                      provider:"secret"`
	Environment            map[string]string `pulumi:"environment,optional"`
	AddPreviousOutputInEnv *bool             `pulumi:"addPreviousOutputInEnv,optional"`
}

// Annotate describes the inputs in the schema.
func (c *CommandInputs) Annotate(a infer.Annotator) {
	a.Describe(&c.Stdin, "Standard input of the command.")
	a.Describe(&c.Logging, "Which outputs are logged; default both.")
	a.Describe(&c.Connection, "How to reach the host.")
	a.Describe(&c.Environment, "Environment variables; the server must accept them (AcceptEnv).")
	a.Describe(&c.AddPreviousOutputInEnv,
		"Whether a run gets the output of the one before it in PULUMI_COMMAND_STDOUT and PULUMI_COMMAND_STDERR; "+
			"default true.")
}

// Output is what the last run printed.
type Output struct {
	Stdout string `pulumi:"stdout"`
	Stderr string `pulumi:"stderr"`
}

// Annotate describes the outputs in the schema.
func (o *Output) Annotate(a infer.Annotator) {
	a.Describe(&o.Stdout, "Standard output of the last run.")
	a.Describe(&o.Stderr, "Standard error of the last run.")
}

// CommandState is what the engine keeps of the resource.
type CommandState struct {
	CommandInputs
	Output
}

// Create runs the create command; a preview only makes up an identifier.
func (*Command) Create(
	ctx context.Context, req infer.CreateRequest[CommandInputs],
) (infer.CreateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs}
	id, err := resource.NewUniqueHex(req.Name, 8, 0)
	if err == nil && !req.DryRun && req.Inputs.Create != nil {
		err = state.run(ctx, *req.Inputs.Create)
	}
	return infer.CreateResponse[CommandState]{ID: id, Output: state}, err
}

// Update runs the update command, or else the create command.
func (*Command) Update(
	ctx context.Context, req infer.UpdateRequest[CommandInputs, CommandState],
) (infer.UpdateResponse[CommandState], error) {
	state := CommandState{CommandInputs: req.Inputs, Output: req.State.Output}
	var err error
	if command := req.Inputs.OnUpdate(); !req.DryRun && command != nil {
		err = state.run(ctx, *command)
	}
	return infer.UpdateResponse[CommandState]{Output: state}, err
}

// Delete runs the delete command, over the connection that the state remembers.
func (*Command) Delete(ctx context.Context, req infer.DeleteRequest[CommandState]) (infer.DeleteResponse, error) {
	if req.State.Delete == nil {
		return infer.DeleteResponse{}, nil
	}
	return infer.DeleteResponse{}, req.State.run(ctx, *req.State.Delete)
}

// run executes command on the host and, if it succeeds, keeps its output.
func (s *CommandState) run(ctx context.Context, command string) error {
	client, err := s.Connection.dial(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()

	for _, key := range slices.Sorted(maps.Keys(s.Environment)) {
		if err := session.Setenv(key, s.Environment[key]); err != nil {
			p.GetLogger(ctx).Error(setenvAdvice(key))
			return fmt.Errorf("could not set environment variable %q: %w", key, err)
		}
	}
	if s.AddPreviousOutputInEnv == nil || *s.AddPreviousOutputInEnv {
		// Most servers refuse these two; a command that needs them fails by itself.
		if s.Stdout != "" && session.Setenv(execution.PreviousStdout, s.Stdout) != nil {
			p.GetLogger(ctx).Warning(setenvAdvice(execution.PreviousStdout))
		}
		if s.Stderr != "" && session.Setenv(execution.PreviousStderr, s.Stderr) != nil {
			p.GetLogger(ctx).Warning(setenvAdvice(execution.PreviousStderr))
		}
	}
	if s.Stdin != nil && *s.Stdin != "" {
		session.Stdin = strings.NewReader(*s.Stdin)
	}

	capture := execution.NewCapture(ctx, s.Logging.stdout(), s.Logging.stderr())
	session.Stdout, session.Stderr = capture.Stdout, capture.Stderr
	stdout, stderr, err := capture.Close(command, session.Run(command))
	if err != nil {
		return err
	}
	s.Output = Output{Stdout: stdout, Stderr: stderr}
	return nil
}

func setenvAdvice(key string) string {
	return fmt.Sprintf("Unable to set '%s'. The SSH server has to accept it (AcceptEnv); where a POSIX shell runs the "+
		"command, put the variable before the command itself: 'VAR=value command'.", key)
}
