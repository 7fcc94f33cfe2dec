//go:build openbao

package main

import "github.com/openbao/openbao/api/v2"

type (
	Client             = api.Client
	EnableAuthOptions  = api.EnableAuthOptions
	MountConfigInput   = api.MountConfigInput
	MountInput         = api.MountInput
	ResponseError      = api.ResponseError
	Secret             = api.Secret
	TokenCreateRequest = api.TokenCreateRequest
)

var (
	DefaultConfig = api.DefaultConfig
	NewClient     = api.NewClient
)

// What only this client has: namespaces by methods of their own, pages of lists.
func ofItsOwn() {
	sys := client.Sys()
	made := must(sys.CreateNamespace("own", &api.CreateNamespaceInput{CustomMetadata: map[string]string{"team": "a"}}))
	same(made.Path, "own/")
	same(must(sys.ReadNamespace("own")).CustomMetadata, map[string]string{"team": "a"})
	patch := &api.PatchNamespaceInput{CustomMetadata: map[string]any{"team": "b"}}
	same(must(sys.PatchNamespace("own", patch)).CustomMetadata, map[string]string{"team": "b"})
	same(must(sys.ListNamespaces())["own/"].CustomMetadata, map[string]string{"team": "b"})
	same(must(sys.DeleteNamespace("own")).Status, "in-progress")
	same(must(sys.DeleteNamespace("own")) == nil, true)
	same(must(sys.MountInfo("keymgmt")).Type, "keymgmt")
	for _, name := range []string{"page-1", "page-2", "page-3"} {
		write("keymgmt/key/"+name, map[string]any{"type": "aes256-gcm96"})
	}
	same(keysOf(must(client.Logical().ListPage("keymgmt/key", "page-1", 1))), []string{"page-2"})
}
