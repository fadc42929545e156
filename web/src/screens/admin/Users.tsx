/** Accounts and their roles, for administrators. Nobody is removed: an account is closed. */
import type { Listing } from '@fieldchart/client'
import { Button, Group, TextInput, Title } from '@mantine/core'
import { type FormEvent, type ReactNode, useCallback, useEffect, useId, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useAllProfiles, useMe, useWorkplace } from '../../app/context'
import { failureSaid } from '../../app/server_words'

interface UserAccount {
  readonly id: string
  readonly username: string
  readonly name: string
  readonly roles: readonly string[]
  readonly disabled: boolean
}

interface Accounts extends Listing<UserAccount> {
  readonly roles: Readonly<Record<string, string>>
}

type Run = (method: string, path: string, body: Readonly<Record<string, unknown>>) => Promise<boolean>

export default function Users(): ReactNode {
  const { t } = useTranslation()
  const workplace = useWorkplace()
  const [accounts, setAccounts] = useState<Accounts | null>(null)
  const profiles = useAllProfiles().value ?? []
  const [failure, setFailure] = useState('')
  const [said, setSaid] = useState('')
  const read = useCallback(async () => {
    try {
      setAccounts(await workplace.api.call<Accounts>('GET', '/api/users'))
    } catch (error) {
      setFailure(failureSaid(error, t))
    }
  }, [workplace, t])
  useEffect(() => {
    void read()
  }, [read])
  const run: Run = async (method, path, body) => {
    try {
      await workplace.api.call(method, path, { body })
      setFailure('')
      setSaid(t('users.done'))
      await read()
      return true
    } catch (error) {
      setSaid('')
      setFailure(failureSaid(error, t))
      return false
    }
  }
  const roles = Object.assign({}, accounts?.roles, ...profiles.map((one) => one.roles)) as Accounts['roles']
  return (
    <section aria-labelledby="users-title">
      <Title order={1} size="h3" id="users-title">
        {t('users.title')}
      </Title>
      {failure !== '' && <p role="alert">{failure}</p>}
      <p role="status">{said}</p>
      {accounts !== null && (
        <>
          <NewUser roles={roles} run={run} />
          <ul className="changes">
            {accounts.items.map((account) => (
              <UserLine key={account.id} account={account} roles={roles} run={run} />
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

function NewUser({ roles, run }: { roles: Accounts['roles']; run: Run }): ReactNode {
  const { t } = useTranslation()
  const [username, setUsername] = useState('')
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [chosen, setChosen] = useState<readonly string[]>([])
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    const body = { username, password, roles: chosen, ...(name === '' ? {} : { name }) }
    if (!(await run('POST', '/api/users', body))) return
    setUsername('')
    setName('')
    setPassword('')
    setChosen([])
  }
  return (
    <details className="section behind">
      <summary>{t('users.add')}</summary>
      <form className="decision" onSubmit={(event) => void submit(event)}>
        <Group gap="xs" align="end">
          <TextInput
            label={t('signIn.username')}
            required
            autoComplete="off"
            value={username}
            onChange={(event) => {
              setUsername(event.currentTarget.value)
            }}
          />
          <TextInput
            label={t('users.name')}
            autoComplete="off"
            value={name}
            onChange={(event) => {
              setName(event.currentTarget.value)
            }}
          />
          <TextInput
            label={t('users.firstPassword')}
            required
            minLength={8}
            autoComplete="new-password"
            value={password}
            onChange={(event) => {
              setPassword(event.currentTarget.value)
            }}
          />
        </Group>
        <RoleChoice roles={roles} chosen={chosen} onChosen={setChosen} />
        <Button type="submit" disabled={chosen.length === 0}>
          {t('users.make')}
        </Button>
      </form>
    </details>
  )
}

function RoleChoice(props: {
  roles: Accounts['roles']
  chosen: readonly string[]
  onChosen: (roles: readonly string[]) => void
}): ReactNode {
  const { t } = useTranslation()
  return (
    <fieldset className="role-choice">
      <legend>{t('users.roles')}</legend>
      {Object.entries(props.roles).map(([role, title]) => (
        <label className="check" key={role}>
          <input
            type="checkbox"
            checked={props.chosen.includes(role)}
            onChange={(event) => {
              const others = props.chosen.filter((one) => one !== role)
              props.onChosen(event.currentTarget.checked ? [...others, role] : others)
            }}
          />
          {title}
        </label>
      ))}
    </fieldset>
  )
}

function UserLine(props: { account: UserAccount; roles: Accounts['roles']; run: Run }): ReactNode {
  const { t } = useTranslation()
  const me = useMe()
  const id = useId()
  const { account, roles, run } = props
  const [open, setOpen] = useState(false)
  const [chosen, setChosen] = useState(account.roles)
  const [password, setPassword] = useState('')
  const path = `/api/users/${encodeURIComponent(account.id)}`
  return (
    <li className="change" data-user={account.username}>
      <div className="told">
        <div className="told-text">
          <strong id={id}>{account.name}</strong> <bdi className="quiet">{account.username}</bdi>{' '}
          {account.disabled && (
            <span className="tag" data-level="urgent">
              {t('users.closed')}
            </span>
          )}
          <div>{account.roles.map((role) => roles[role] ?? role).join(', ')}</div>
        </div>
        <Button
          variant="default"
          aria-expanded={open}
          aria-label={t('users.changeOf', { name: account.name })}
          onClick={() => {
            setOpen(!open)
          }}
        >
          {t('users.change')}
        </Button>
      </div>
      {open && (
        <div className="decision">
          <RoleChoice roles={roles} chosen={chosen} onChosen={setChosen} />
          <Group gap="xs" align="end">
            <Button disabled={chosen.length === 0} onClick={() => void run('PATCH', path, { roles: chosen })}>
              {t('users.saveRoles')}
            </Button>
            {account.id !== me.userId && (
              <Button variant="default" onClick={() => void run('PATCH', path, { disabled: !account.disabled })}>
                {account.disabled ? t('users.open') : t('users.close')}
              </Button>
            )}
          </Group>
          <form
            className="inline-form"
            onSubmit={(event) => {
              event.preventDefault()
              void run('PATCH', path, { password }).then((done) => {
                if (done) setPassword('')
              })
            }}
          >
            <TextInput
              label={t('users.newPassword')}
              required
              minLength={8}
              autoComplete="new-password"
              value={password}
              onChange={(event) => {
                setPassword(event.currentTarget.value)
              }}
            />
            <Button type="submit" variant="default">
              {t('users.setPassword')}
            </Button>
          </form>
        </div>
      )}
    </li>
  )
}
