//go:build !openbao

package main

import "github.com/hashicorp/vault/api"

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

// What only this client has: the mount and the way to log in by their paths, capabilities by accessor.
func ofItsOwn() {
	same(must(client.Sys().GetMount("keymgmt")).Type, "keymgmt")
	check(client.Sys().EnableAuthWithOptions("own", &EnableAuthOptions{Type: "approle"}))
	same(must(client.Sys().GetAuth("own")).Type, "approle")
	made := must(client.Auth().Token().Create(&TokenCreateRequest{Policies: []string{"default"}, TTL: "5m"})).Auth
	same(must(client.Sys().CapabilitiesAccessor(made.Accessor, "keymgmt/key")), []string{"deny"})
}
