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
